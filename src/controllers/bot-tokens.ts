import { type BotToken, botTokenKind } from '../api/bot-token.ts';
import { type BotUser, botUserKind } from '../api/bot-user.ts';
import { type ClusterTokenIssuer, clusterTokenIssuerKind } from '../api/cluster-token-issuer.ts';
import { revokeFinalizer } from '../api/names.ts';
import { unreachable } from '../base/errors.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { decide } from '../decide/bot-token.ts';
import {
  type BotUserSeen,
  type Observed,
  type OwnSecret,
  type SecretSeen,
  type Step,
  secretNameOf,
} from '../decide/bot-token-seen.ts';
import type { Operation } from '../decide/bot-token-status.ts';
import { isOlder, tokenGrant } from '../decide/grant.ts';
import { readBack } from '../decide/secret-data.ts';
import { renderingOf } from '../decide/secret-metadata.ts';
import { SigningKeyInvalid } from '../issuers/jwt/keys.ts';
import type { Outcome } from '../kube/controller.ts';
import { type Metadata, secretMetadata, secrets } from '../kube/core-kinds.ts';
import { isAlreadyExists, isConflict, isNotFound, KubeError } from '../kube/errors.ts';
import { compareVersions, type Key, keyOf, type Ref } from '../kube/objects.ts';
import { botUserKeyOf, issuerSeen, secretKeyOf, usernameKeyOf } from './caches.ts';
import { Kept } from './kept.ts';
import { dataOf, digestOfSecret, SecretReadings } from './secret-readings.ts';
import {
  type Minted,
  mint,
  newSecret,
  relabelled,
  relabelledMarks,
  rendered,
  rewrittenSecret,
  withoutValues,
} from './secret-writes.ts';
import type { SigningKeys } from './signing-keys.ts';
import { Unsettled, type World } from './world.ts';

/** More steps than the longest way there is: an issue with a conflict at every write. */
const mostSteps = 24;

/** What live reads and refusals of one pass have shown. */
interface Pass {
  /** The last live answer about the Secret; `undefined` in it: there is none. */
  secret?: { live: Metadata | undefined };
  /** The resourceVersion at which the Secret was read and no entry held the credential. */
  unreadableAt: string | undefined;
  confirmed: Observed['confirmed'];
  refused: Observed['refused'];
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
  readonly #keys: SigningKeys;
  readonly #digestKey: SecretValue;
  readonly #readings = new SecretReadings();

  constructor(world: World, o: { keys: SigningKeys; digestKey: SecretValue }) {
    this.#world = world;
    const { client, caches } = world;
    this.#tokens = new Kept(client, botTokenKind, caches.tokens);
    this.#botUsers = new Kept(client, botUserKind, caches.botUsers);
    this.#issuers = new Kept(client, clusterTokenIssuerKind, caches.issuers);
    this.#keys = o.keys;
    this.#digestKey = o.digestKey;
    world.caches.secrets.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) this.#readings.forget(before.metadata.uid);
    });
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const pass: Pass = { unreadableAt: undefined, confirmed: { botUser: false, issuer: false }, refused: undefined };
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
    const { confirmed, refused } = pass;
    const others = this.#world.caches.tokens.byIndex('secret', secretKeyOf(token));
    const earlier = others.find(other => claims(other) && other !== token && isOlder(other, token));
    return {
      token,
      botUser: this.#botUser(token),
      secret: this.#secret(token, pass),
      confirmed,
      earlierClaim: earlier && `BotToken/${earlier.metadata.name}`,
      refused,
    };
  }

  #botUser(token: BotToken): BotUserSeen {
    const { caches } = this.#world;
    const { botUsers } = caches;
    const key = botUserKeyOf(token);
    const botUser = botUsers.get(key);
    // Whether it is being deleted is told by the metadata, which every version understands.
    const metadata = (botUser ?? botUsers.unreadable(key))?.metadata;
    if (metadata?.deletionTimestamp !== undefined) return { state: 'deleted' };
    if (botUser === undefined) return { state: metadata === undefined ? 'absent' : 'unreadable' };
    const seen = issuerSeen(caches, botUser);
    const rivals = botUsers.byIndex('username', usernameKeyOf(botUser)).filter(rival => rival !== botUser);
    return { state: 'found', uid: botUser.metadata.uid, grant: tokenGrant(token, botUser, rivals, seen) };
  }

  /** The newer of what the watch and what a live read of this pass have shown. */
  #secret(token: BotToken, pass: Pass): SecretSeen {
    const cached = this.#world.caches.secrets.get(secretKeyOf(token));
    const live = pass.secret?.live;
    const newer = cached && live && compareVersions(live.metadata.resourceVersion, cached.metadata.resourceVersion) > 0;
    const secret = cached === undefined || newer ? live : cached;
    if (secret === undefined) return { state: 'absent', confirmed: pass.secret !== undefined };
    const seen = this.#readings.seen(token, secret);
    return seen.state === 'ours' ? { ...seen, unreadable: pass.unreadableAt === seen.resourceVersion } : seen;
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
        return this.#issue(token, step, pass, signal);
      case 'render':
        return this.#render(token, step, pass, signal);
      case 'label': {
        const marks = relabelledMarks(token, step.record);
        const body = { metadata: relabelled(token, step.over, marks) };
        await this.#writeSecret(token, pass, signal, {
          over: step.over,
          body,
          digest: step.over.digest,
          data: new Map(),
        });
        return;
      }
      case 'delete-secret':
        return this.#deleteSecret(token, step, pass, signal);
      default:
        return unreachable(step);
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

  async #confirm(
    token: BotToken,
    what: 'bot-user' | 'issuer' | 'secret',
    pass: Pass,
    signal: AbortSignal,
  ): Promise<void> {
    const { caches } = this.#world;
    switch (what) {
      case 'bot-user': {
        const ref = { namespace: token.metadata.namespace, name: token.spec.botUserRef.name };
        await this.#botUsers.refresh(ref, signal);
        pass.confirmed.botUser = true;
        return;
      }
      case 'issuer': {
        const name = caches.botUsers.get(botUserKeyOf(token))?.spec.issuerRef.name;
        if (name !== undefined) await this.#issuers.refresh({ name }, signal);
        pass.confirmed.issuer = true;
        return;
      }
      case 'secret':
        return this.#readSecret(token, pass, signal);
    }
  }

  /** Metadata first: the values of a Secret are asked for only when it is known to be ours. */
  async #readSecret(token: BotToken, pass: Pass, signal: AbortSignal): Promise<void> {
    const { client } = this.#world;
    const ref = secretRefOf(token);
    const live = await client.get(secretMetadata, ref, { signal });
    this.#sawSecret(token, pass, live);
    const seen = live && this.#readings.seen(token, live);
    if (seen?.state !== 'ours' || seen.digest !== undefined) return;
    const secret = await client.get(secrets, ref, { signal });
    if (secret === undefined || this.#readings.seen(token, secret).state !== 'ours')
      return this.#sawSecret(token, pass, secret && { metadata: secret.metadata });
    const { digest, keys } = digestOfSecret(secret, this.#digestKey);
    this.#readings.remember(secret, digest, keys);
    this.#sawSecret(token, pass, { metadata: secret.metadata });
  }

  #sawSecret(token: BotToken, pass: Pass, live: Metadata | undefined): void {
    const { secrets: cache } = this.#world.caches;
    pass.secret = { live };
    const cached = cache.get(secretKeyOf(token));
    if (live === undefined && cached !== undefined) cache.remove(keyOf(cached), cached.metadata.uid);
  }

  async #issue(token: BotToken, step: Step & { do: 'issue' }, pass: Pass, signal: AbortSignal): Promise<void> {
    const { caches, clock, metrics } = this.#world;
    const issuer = caches.issuers.get(step.wish.issuer.name);
    if (issuer?.metadata.uid !== step.wish.issuer.uid) return; // it went while this pass ran: look again
    try {
      const key = await this.#keys.active(issuer, signal);
      const { issuerURL } = issuer.spec.jwt;
      const minted = await mint(token, step, { issuerURL, key, digestKey: this.#digestKey, now: clock.now() });
      const body = step.over === undefined ? newSecret(token, minted) : this.#rewritten(token, step.over, minted);
      const written = await this.#writeSecret(token, pass, signal, {
        over: step.over,
        body,
        digest: minted.inputs.digest,
        data: minted.data,
      });
      if (written) metrics.issued.inc({ issuer: issuer.metadata.name, cause: step.cause });
    } catch (error) {
      if (!(error instanceof SigningKeyInvalid)) throw error;
      pass.refused = {
        operation: 'Write',
        reason: 'IssuerNotReady',
        message: `ClusterTokenIssuer ${issuer.metadata.name} cannot sign: ${error.message}`,
      };
    }
  }

  #rewritten(token: BotToken, over: OwnSecret, minted: Minted): object {
    return rewrittenSecret(token, over, this.#readings.keys(over.uid, token), minted);
  }

  /** The credential is read back out of the Secret through the recorded entries and written under the new ones. */
  async #render(
    token: BotToken,
    { over, record }: Step & { do: 'render' },
    pass: Pass,
    signal: AbortSignal,
  ): Promise<void> {
    const secret = await this.#world.client.get(secrets, secretRefOf(token), { signal });
    const { uid, resourceVersion } = secret?.metadata ?? {};
    if (secret === undefined || uid !== over.uid || resourceVersion !== over.resourceVersion) {
      return this.#sawSecret(token, pass, secret && { metadata: secret.metadata });
    }
    const { tokenID, revision, inputs } = record;
    const { username, issuedAt, expiresAt } = inputs;
    const credential = readBack(inputs.secret.data, dataOf(secret), { tokenID, username, issuedAt, expiresAt });
    if (credential === undefined) {
      pass.unreadableAt = resourceVersion;
      return;
    }
    const minted = rendered(
      credential,
      { revision, tokenID, inputs: { ...inputs, secret: renderingOf(token) } },
      this.#digestKey,
    );
    const body = this.#rewritten(token, over, minted);
    await this.#writeSecret(token, pass, signal, { over, body, digest: minted.inputs.digest, data: minted.data });
  }

  /** POST, or PATCH at the resourceVersion that was seen. True when it was written; a refusal is kept for the next look. */
  async #writeSecret(
    token: BotToken,
    pass: Pass,
    signal: AbortSignal,
    write: { over: OwnSecret | undefined; body: object; digest: string | undefined; data: Minted['data'] },
  ): Promise<boolean> {
    const { client, caches } = this.#world;
    const { over, body, digest, data } = write;
    try {
      const written =
        over === undefined
          ? await client.create(secretMetadata, body as { metadata: Ref }, { signal })
          : await client.patch(secretMetadata, secretRefOf(token), body, {
              signal,
              resourceVersion: over.resourceVersion,
            });
      delete pass.secret;
      const keys = data.size > 0 ? data.keys() : this.#readings.keys(written.metadata.uid, token);
      if (digest !== undefined) this.#readings.remember(written, digest, keys);
      caches.secrets.put(written);
      return true;
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || (over !== undefined && isNotFound(error))) {
        await this.#readSecret(token, pass, signal);
        return false;
      }
      if (!(error instanceof KubeError)) throw error;
      const answer = withoutValues(error, data);
      if (!isRefusal(answer.status)) throw answer;
      this.#refuse(token, pass, 'Write', answer);
      return false;
    }
  }

  async #deleteSecret(
    token: BotToken,
    step: Step & { do: 'delete-secret' },
    pass: Pass,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, caches } = this.#world;
    const { uid, resourceVersion } = step;
    if (step.cause === 'predecessor') {
      // Before another UID's Secret is touched: a live read must say that this token is the one of that name.
      await this.#tokens.refresh(token.metadata, signal);
      if (caches.tokens.get(keyOf(token))?.metadata.uid !== token.metadata.uid) return;
    }
    try {
      await client.delete(secretMetadata, secretRefOf(token), { signal, uid, resourceVersion });
      caches.secrets.remove(secretKeyOf(token), uid);
      pass.secret = { live: undefined };
    } catch (error) {
      if (isConflict(error)) return this.#readSecret(token, pass, signal);
      if (!(error instanceof KubeError && isRefusal(error.status))) throw error;
      this.#refuse(token, pass, step.cause === 'revoked' ? 'Delete' : 'Write', error);
    }
  }

  /** Keeps what the API server said of the Secret for the next look. */
  #refuse(token: BotToken, pass: Pass, operation: Operation, { reason, message }: KubeError): void {
    const what = `${operation.toLowerCase()} Secret ${secretNameOf(token)}`;
    const words = `the API server refused to ${what}: ${reason}: ${message}`;
    pass.refused = { operation, reason: 'WriteRefused', message: words };
    this.#world.metrics.failed.inc({ reason: 'WriteRefused' });
  }
}

/** Refused for what it is, and not because the server is busy, unsure or does not know us. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 401 && status !== 408 && status !== 409 && status !== 429;
}

/** Whether another token has a claim on the Secret's name: one that is revoked or going has none. */
function claims(token: BotToken): boolean {
  return token.metadata.deletionTimestamp === undefined && token.spec.revoked !== true;
}

function secretRefOf(token: BotToken): Ref {
  return { namespace: token.metadata.namespace, name: secretNameOf(token) };
}
