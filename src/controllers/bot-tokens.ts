import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import { type BotUser, botUserKind } from '../api/bot-user.ts';
import { type ClusterTokenIssuer, clusterTokenIssuerKind } from '../api/cluster-token-issuer.ts';
import { revokeFinalizer } from '../api/names.ts';
import { unreachable } from '../base/errors.ts';
import { botTokens, botUserNameOf } from '../decide/bot-token.ts';
import { isSuspended, tokenGrant } from '../decide/bot-token-grant.ts';
import { decide } from '../decide/credential.ts';
import type { Observed, PrincipalSeen, Refused, Step } from '../decide/credential-seen.ts';
import { isOlder } from '../decide/grant.ts';
import { handOverTime } from '../decide/hand-over.ts';
import { carriedBy } from '../decide/listing.ts';
import type { Outcome } from '../kube/controller.ts';
import { type Key, keyOf } from '../kube/objects.ts';
import { botUserKeyOf, botUserRefOf, issuerSeen, labelsOf, secretKeyOf, usernameKeyOf } from './caches.ts';
import { Consumers, Restarts } from './consumers.ts';
import { CredentialSecret, type CredentialSecretOptions } from './credential-secret.ts';
import { failedList, refusedList } from './failed-attempt.ts';
import type { HandOver } from './hand-over.ts';
import { Kept } from './kept.ts';
import { SecretReadings } from './secret-readings.ts';
import type { StatusLists } from './status-lists.ts';
import { type TokenMintingOptions, tokenMinting } from './token-minting.ts';
import { Unsettled, type World } from './world.ts';

/** More steps than the longest way there is: an issue and the restart of 16 workloads with a conflict at every write. */
const mostSteps = 64;

export interface BotTokensOptions extends Omit<TokenMintingOptions, 'world' | 'statusLists'> {
  statusLists: Pick<StatusLists, 'seen' | 'take' | 'write'>;
  handOver: HandOver;
}

/** What one pass has shown beyond the caches. */
interface Pass {
  secret: CredentialSecret<BotToken>;
  /** A write of a status list that was refused. */
  unlisted: Refused | undefined;
  consumers: Consumers;
  /** The resourceVersion of the token for which each was read: what another process has made of the token since may rest on newer ones. */
  confirmed: { principal: string | undefined; issuer: string | undefined };
}

/**
 * Brings one BotToken a step at a time to where its spec wants it: look, decide, one write, look again. What a write
 * answers goes into the caches, so each look reads its own writes, and a crash after any of them leaves nothing that the
 * next look does not understand.
 */
export class BotTokens {
  readonly #world: World;
  readonly #tokens: Kept<BotToken>;
  readonly #botUsers: Kept<BotUser>;
  readonly #issuers: Kept<ClusterTokenIssuer>;
  readonly #secrets: CredentialSecretOptions<BotToken>;
  readonly #statusLists: BotTokensOptions['statusLists'];
  readonly #restarts = new Restarts();
  readonly #handOver: HandOver;

  constructor(world: World, { handOver, ...o }: BotTokensOptions) {
    this.#world = world;
    const { client, caches } = world;
    this.#tokens = new Kept(client, botTokenKind, caches.tokens);
    this.#botUsers = new Kept(client, botUserKind, caches.botUsers);
    this.#issuers = new Kept(client, clusterTokenIssuerKind, caches.issuers);
    this.#handOver = handOver;
    const readings = new SecretReadings();
    this.#statusLists = o.statusLists;
    this.#secrets = { world, kind: botTokens, mint: tokenMinting({ world, ...o }), digestKey: o.digestKey, readings };
    caches.secrets.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) readings.forget(before.metadata.uid);
    });
    caches.tokens.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) this.#restarts.forget(before.metadata.uid);
    });
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const pass: Pass = {
      secret: new CredentialSecret(this.#secrets),
      unlisted: undefined,
      consumers: new Consumers(this.#world.client, botTokens, this.#restarts),
      confirmed: { principal: undefined, issuer: undefined },
    };
    for (let steps = 0; steps < mostSteps; steps++) {
      const token = this.#world.caches.tokens.get(key);
      if (token === undefined) return { next: 'on-change' };
      const step = decide(this.#observe(token, pass), this.#world.clock.now());
      if (step.do === 'rest')
        return step.until === undefined ? { next: 'on-change' } : { next: 'at', time: step.until };
      await this.#act(token, step, pass, signal);
    }
    throw new Unsettled(`BotToken ${key} did not settle in ${mostSteps} steps`);
  }

  // Observe ----------------------------------------------------------------------------------------------------

  #observe(token: BotToken, pass: Pass): Observed {
    const { consumers } = pass;
    const { resourceVersion } = token.metadata;
    const secret = pass.secret.seen(token);
    const carried = carriedBy({ object: token, secret });
    const listed = carried.map(({ index, issuerUID }) => [index, this.#statusLists.seen(index, issuerUID)] as const);
    const others = this.#world.caches.tokens.byIndex('secret', secretKeyOf(token));
    const earlier = others.find(other => claims(other) && other !== token && isOlder(other, token));
    return {
      kind: botTokens,
      object: token,
      principal: this.#botUser(token),
      secret,
      confirmed: {
        principal: pass.confirmed.principal === resourceVersion,
        issuer: pass.confirmed.issuer === resourceVersion,
      },
      revocations: this.#handOver.seen(token),
      lostIssuer: this.#handOver.lostIssuer(token),
      earlierClaim: earlier && `BotToken/${earlier.metadata.name}`,
      listed: new Map(listed),
      refused: { ...pass.secret.refused, Revoke: pass.unlisted },
      targets: consumers.seen(token),
    };
  }

  #botUser(token: BotToken): PrincipalSeen {
    const { caches } = this.#world;
    const { botUsers } = caches;
    const key = botUserKeyOf(token);
    const botUser = botUsers.get(key);
    // Whether it is being deleted is told by the metadata, which every version understands.
    const metadata = (botUser ?? botUsers.unreadable(key))?.metadata;
    if (metadata?.deletionTimestamp !== undefined)
      return { state: 'deleted', name: botUserNameOf(token), since: metadata.deletionTimestamp };
    if (botUser === undefined)
      return { state: metadata === undefined ? 'absent' : 'unreadable', name: botUserNameOf(token) };
    const tokenNamespaceLabels = labelsOf(caches.namespaces, token.metadata.namespace);
    const seen = { ...issuerSeen(caches, botUser), tokenNamespaceLabels };
    const rivals = botUsers.byIndex('username', usernameKeyOf(botUser)).filter(rival => rival !== botUser);
    const now = this.#world.clock.now();
    const grant = tokenGrant(token, botUser, rivals, seen, now);
    return { state: 'found', uid: botUser.metadata.uid, suspended: isSuspended(botUser, now), grant };
  }

  // Act --------------------------------------------------------------------------------------------------------

  async #act(token: BotToken, step: Exclude<Step, { do: 'rest' }>, pass: Pass, signal: AbortSignal): Promise<void> {
    switch (step.do) {
      case 'add-finalizer':
        await this.#tokens.finalize(token, revokeFinalizer, signal);
        return;
      case 'remove-finalizer':
        return this.#release(token, signal);
      case 'write-status':
        return this.#writeStatus(token, step, signal);
      case 'confirm':
        return this.#confirm(token, step.what, pass, signal);
      case 'issue':
        return pass.secret.issue(token, step, signal);
      case 'render':
        return pass.secret.render(token, step, signal);
      case 'label':
        return pass.secret.label(token, step, signal);
      case 'delete-secret':
        return this.#deleteSecret(token, step, pass, signal);
      case 'read-workloads':
        return pass.consumers.look(token, step, signal);
      case 'restart-workload':
        return pass.consumers.restart(token, step, signal);
      case 'list':
        return this.#list(token, step, pass, signal);
      case 'hand-over':
        return this.#handOver.carryOut(token, step, signal);
      default:
        return unreachable(step);
    }
  }

  /**
   * What the API server refuses, or a list that is none any more, is there at the next look. For a token that goes so is
   * every other failure: it must be put down, or nobody would know after a restart that it is time for a hand-over.
   */
  async #list(token: BotToken, { issuer, changes }: Step & { do: 'list' }, pass: Pass, signal: AbortSignal) {
    try {
      await this.#statusLists.write(issuer, changes, signal);
    } catch (error) {
      const goes = handOverTime({ object: token, principal: this.#botUser(token) }) !== undefined;
      const refused = refusedList(error) ?? (goes ? failedList(error, signal) : undefined);
      if (refused === undefined) throw error;
      pass.unlisted = refused;
      this.#world.metrics.failed.inc({ reason: refused.reason });
    }
  }

  async #release(token: BotToken, signal: AbortSignal): Promise<void> {
    const gone = await this.#tokens.release(token, revokeFinalizer, signal);
    if (gone && token.status?.tokenID !== undefined) this.#world.metrics.revoked.inc({ cause: 'deleted' });
  }

  async #writeStatus(token: BotToken, step: Step & { do: 'write-status' }, signal: AbortSignal): Promise<void> {
    if (!(await this.#tokens.patchStatus(token, step.patch, signal))) return;
    if (step.because === 'revoked') this.#world.metrics.revoked.inc({ cause: step.verdict.reason });
    this.#world.report('BotToken', token, step.verdict, { always: step.because === 'issued', action: 'Reconcile' });
  }

  async #deleteSecret(token: BotToken, step: Step & { do: 'delete-secret' }, pass: Pass, signal: AbortSignal) {
    if (step.cause === 'predecessor') {
      // Before another UID's Secret is touched: a live read must say that this token is the one of that name.
      await this.#tokens.refresh(token.metadata, signal);
      if (this.#world.caches.tokens.get(keyOf(token))?.metadata.uid !== token.metadata.uid) return;
    }
    await pass.secret.delete(token, step, signal);
  }

  async #confirm(
    token: BotToken,
    what: 'principal' | 'issuer' | 'secret',
    pass: Pass,
    signal: AbortSignal,
  ): Promise<void> {
    const { caches } = this.#world;
    switch (what) {
      case 'principal': {
        await this.#botUsers.refresh(botUserRefOf(token), signal);
        pass.confirmed.principal = token.metadata.resourceVersion;
        return;
      }
      case 'issuer': {
        const name = caches.botUsers.get(botUserKeyOf(token))?.spec.issuerRef.name;
        if (name !== undefined) await this.#issuers.refresh({ name }, signal);
        pass.confirmed.issuer = token.metadata.resourceVersion;
        return;
      }
      case 'secret':
        return pass.secret.read(token, signal);
    }
  }
}

/** Whether another token has a claim on the Secret's name: one that is revoked or going has none. */
function claims(token: BotToken): boolean {
  return token.metadata.deletionTimestamp === undefined && token.spec.revoked !== true;
}
