import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import {
  type ClusterTokenIssuer,
  clusterTokenIssuerKind,
  type IssuerOf,
  isOfType,
} from '../api/cluster-token-issuer.ts';
import { inUseFinalizer } from '../api/names.ts';
import { isOlder } from '../api/object.ts';
import { unreachable } from '../base/errors.ts';
import { dependsOn } from '../decide/credential-record.ts';
import { decide } from '../decide/issuer.ts';
import {
  type KeySecretSeen,
  keysOf,
  type NewKey,
  type Observed,
  type Step,
  withdrawnKeysOf,
} from '../decide/issuer-seen.ts';
import { neededKeys, type TokenSeen } from '../decide/needed-keys.ts';
import { earliest } from '../decide/times.ts';
import { SigningKeyInvalid } from '../issuers/jwt/keys.ts';
import type { Outcome } from '../kube/controller.ts';
import { type Key, keyOf } from '../kube/objects.ts';
import { brokenLists, secretKeyOf, unknownIssuer } from './caches.ts';
import { Kept } from './kept.ts';
import type { SigningKeys } from './signing-keys.ts';
import { countLive, restOf, restUntil, Unsettled, type World } from './world.ts';

/** More steps than making and publishing two keys takes, with a conflict at each. */
const mostSteps = 24;

/** How often it is tried again to make a key: no watch says that a Secret is no longer in the way, or which key no credential needs any more. */
const keyPollMilliseconds = 15_000;

/** For so long one look through all records answers which keys are needed: a namespace full of tokens that goes must not cost a look each. */
const neededKeysMilliseconds = 60_000;

interface Pass {
  made: NewKey[];
  /** By key id: what live reads of this pass said. */
  read: Map<string, KeySecretSeen>;
  confirmedCredentials: number | undefined;
  inTheWay: string | undefined;
}

/** Makes, publishes and watches over the keys of the issuers. */
export class TokenIssuers {
  readonly #world: World;
  readonly #issuers: Kept<ClusterTokenIssuer>;
  readonly #keys: SigningKeys;
  /** By issuer: looked up in all records only where a key may go. */
  readonly #needed = new Map<Key, { at: number; isNeeded: Observed['isNeeded'] }>();

  constructor(world: World, keys: SigningKeys) {
    this.#world = world;
    this.#issuers = new Kept(world.client, clusterTokenIssuerKind, world.caches.issuers);
    this.#keys = keys;
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const pass: Pass = { made: [], read: new Map(), confirmedCredentials: undefined, inTheWay: undefined };
    for (let steps = 0; steps < mostSteps; steps++) {
      const issuer = this.#world.caches.issuers.get(key);
      if (issuer === undefined) {
        this.#needed.delete(key);
        return { next: 'on-change' };
      }
      if (!isOfType(issuer, 'jwt')) return { next: 'on-change' };
      const step = decide(this.#observe(issuer, pass), this.#world.clock.now());
      if (step.do === 'rest') return this.#rest(issuer, step.until, pass);
      await this.#act(issuer, step, pass, signal);
    }
    throw new Unsettled(`ClusterTokenIssuer ${key} did not settle in ${mostSteps} steps`);
  }

  #observe(issuer: IssuerOf<'jwt'>, pass: Pass): Observed {
    const { issuers, tokens } = this.#world.caches;
    const same = issuers.byIndex('url', issuer.spec.jwt.issuerURL);
    const keySecrets = [...keysOf(issuer), ...withdrawnKeysOf(issuer)].map(key => {
      const seen = this.#keys.seen(key);
      return [key.kid, seen.state === 'missing' ? (pass.read.get(key.kid) ?? seen) : seen] as const;
    });
    return {
      issuer,
      olderWithURL: same.find(other => other !== issuer && isOlder(other, issuer))?.metadata.name,
      keySecrets: new Map(keySecrets),
      made: pass.made,
      isNeeded: key => this.#neededKeys(issuer)(key),
      inTheWay: pass.inTheWay,
      credentials: tokens.byIndex('issuerUID', issuer.metadata.uid).length,
      unknownCredentials: tokens.byIndex('issuerUID', unknownIssuer).length + [...tokens.unreadables()].length,
      confirmedCredentials: pass.confirmedCredentials,
      brokenLists: brokenLists(this.#world.caches, issuer),
    };
  }

  async #act(
    issuer: IssuerOf<'jwt'>,
    step: Exclude<Step, { do: 'rest' }>,
    pass: Pass,
    signal: AbortSignal,
  ): Promise<void> {
    const { report } = this.#world;
    switch (step.do) {
      case 'add-finalizer': {
        await this.#issuers.finalize(issuer, inUseFinalizer, signal);
        return;
      }
      case 'remove-finalizer':
        await this.#issuers.release(issuer, inUseFinalizer, signal);
        return;
      case 'confirm-credentials':
        pass.confirmedCredentials = await this.#countLive(issuer, signal);
        return;
      case 'read-key':
        pass.read.set(step.key.kid, await this.#keys.inspect(step.key, signal));
        return;
      case 'make-key':
        return this.#makeKey(issuer, step.number, pass, signal);
      case 'delete-key':
        return this.#keys.delete(step.key, signal);
      case 'write-status': {
        const written = await this.#issuers.patchStatus(issuer, step.patch, signal);
        const always = step.because === 'withdrawn';
        if (written) report('ClusterTokenIssuer', issuer, step.verdict, { always, action: 'Reconcile' });
        return;
      }
      default:
        return unreachable(step);
    }
  }

  async #makeKey(issuer: IssuerOf<'jwt'>, number: number, pass: Pass, signal: AbortSignal): Promise<void> {
    try {
      pass.made.push(await this.#keys.make(issuer, number, signal));
    } catch (error) {
      if (!(error instanceof SigningKeyInvalid)) throw error;
      pass.inTheWay = error.message;
    }
  }

  #rest(issuer: ClusterTokenIssuer, until: Date | undefined, { inTheWay }: Pass): Outcome {
    const { clock } = this.#world;
    const full = issuer.status?.conditions?.some(({ reason }) => reason === 'TooManyKeys') === true;
    const poll = inTheWay !== undefined || full ? new Date(clock.now().getTime() + keyPollMilliseconds) : undefined;
    const outcome = restOf(issuer, clock);
    return restUntil(earliest(until, poll, outcome.next === 'at' ? outcome.time : undefined));
  }

  /** A key that was not needed at the last look is not needed since: nothing is signed with it any more. */
  #neededKeys(issuer: ClusterTokenIssuer): Observed['isNeeded'] {
    const { caches, clock } = this.#world;
    const known = this.#needed.get(keyOf(issuer));
    if (known !== undefined && clock.monotonic() - known.at < neededKeysMilliseconds) return known.isNeeded;
    const anyUnreadable = [...caches.tokens.unreadables()].length > 0; // its record may name any key
    const isNeeded = anyUnreadable ? () => true : neededKeys(this.#tokens(), issuer.metadata.uid, clock.now());
    this.#needed.set(keyOf(issuer), { at: clock.monotonic(), isNeeded });
    return isNeeded;
  }

  *#tokens(): Iterable<TokenSeen> {
    const { tokens, secrets } = this.#world.caches;
    for (const token of tokens.values()) yield { token, secret: secrets.get(secretKeyOf(token))?.metadata };
  }

  /** With those that cannot be read: a credential that nobody revoked must not lose the keys that verify it. */
  async #countLive({ metadata }: ClusterTokenIssuer, signal: AbortSignal): Promise<number> {
    const depends = (token: BotToken) => dependsOn(token, metadata);
    const { matching, unreadable } = await countLive(this.#world.client, botTokenKind, {}, depends, signal);
    return matching + unreadable;
  }
}
