import type { BotToken } from '../../src/api/bot-token.ts';
import type { BotUser } from '../../src/api/bot-user.ts';
import { managedLabel, revokeFinalizer } from '../../src/api/names.ts';
import type { Revocation } from '../../src/api/revocation.ts';
import { unreachable } from '../../src/base/errors.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { dataOf, digestOfSecret, SecretReadings } from '../../src/controllers/secret-readings.ts';
import {
  type Minted,
  newSecret,
  relabelled,
  relabelledMarks,
  rendered,
  rewrittenSecret,
} from '../../src/controllers/secret-writes.ts';
import { botTokens, botUserNameOf } from '../../src/decide/bot-token.ts';
import { tokenGrant } from '../../src/decide/bot-token-grant.ts';
import { decide } from '../../src/decide/credential.ts';
import type {
  Observed,
  OwnSecret,
  PrincipalSeen,
  Refused,
  SecretSeen,
  Step,
} from '../../src/decide/credential-seen.ts';
import { isSuspended, uidOf } from '../../src/decide/grant.ts';
import { carriedBy } from '../../src/decide/listing.ts';
import { isMarked, restartPatch, type Target, type TargetSeen, targetKey } from '../../src/decide/rollout.ts';
import { readBack } from '../../src/decide/secret-data.ts';
import { type Owner, renderingOf } from '../../src/decide/secret-metadata.ts';
import type { Workload } from '../../src/decide/workload-progress.ts';
import { withFinalizer, withoutFinalizer } from '../../src/kube/finalizer.ts';
import { type ApiServer, Refusal, type StoredSecret, whole } from './api-server.ts';
import { type Fault, send, Unanswered } from './network.ts';
import { minted } from './signing.ts';

const digestKey = new SecretValue('the key of the operator');

/** What live reads and refusals of one pass have shown. */
interface Pass {
  secret?: { live: StoredSecret | undefined };
  unreadableAt: string | undefined;
  /** The resourceVersion of the token for which it was read. */
  botUser: string | undefined;
  refused: Observed['refused'];
  targets: Map<string, TargetSeen>;
  /** The token id that they were read for. */
  targetsFor: string | undefined;
}

/**
 * An operator that works on the one token of an API server: what it sees is its caches, which follow only when they are told
 * to; what it does is decide's next step, one write or one live read at a time, as the controller does it.
 */
export class Operator {
  readonly #server: ApiServer;
  #cache: { token: BotToken | undefined; botUser: BotUser | undefined; secret: StoredSecret | undefined };
  #readings = new SecretReadings();
  #lists: ApiServer['lists'] = new Map();
  #restarts = new Map<string, string>();
  /** Of these the cache lags until a write shows that they are there. */
  #revocations: readonly Revocation[] = [];
  #pass = newPass();

  constructor(server: ApiServer) {
    this.#server = server;
    this.#cache = { token: server.token, botUser: server.botUser, secret: labelled(server.secret) };
  }

  /** The watch of one kind catches up. */
  hear(what: 'token' | 'botUser' | 'secret'): void {
    // Of the lists it hears whenever it hears of anything.
    this.#lists = this.#server.lists;
    const { token, botUser, secret } = this.#server;
    this.#cache = { ...this.#cache, [what]: { token, botUser, secret: labelled(secret) }[what] };
  }

  /** Looks, decides, does it. `rests`: nothing was to be done until then. */
  step(fault: Fault = 'none'): 'acts' | 'fails' | { rests: Date | undefined } {
    const { token } = this.#cache;
    if (token === undefined) return { rests: undefined };
    const step = decide(this.#observe(token), this.#server.time);
    if (step.do === 'rest') {
      this.#pass = newPass();
      return { rests: step.until };
    }
    try {
      this.#act(token, step, fault);
      return 'acts';
    } catch (error) {
      if (!(error instanceof Unanswered || error instanceof Refusal)) throw error;
      this.#pass = newPass();
      if (fault.startsWith('crash')) this.#restart();
      return 'fails';
    }
  }

  #restart(): void {
    this.#readings = new SecretReadings();
    this.#lists = this.#server.lists;
    this.#revocations = this.#server.revocations;
    for (const kind of ['token', 'botUser', 'secret'] as const) this.hear(kind);
  }

  #observe(token: BotToken): Observed {
    const { refused } = this.#pass;
    const secret = this.#secret(token);
    const confirmed = { principal: this.#pass.botUser === token.metadata.resourceVersion, issuer: false };
    if (this.#pass.targetsFor !== token.status?.tokenID) this.#pass.targets.clear();
    this.#pass.targetsFor = token.status?.tokenID;
    return {
      kind: botTokens,
      object: token,
      principal: this.#botUser(token),
      secret,
      confirmed,
      revocations: this.#revocations,
      lostIssuer: { kind: 'ClusterTokenIssuer', ...this.#server.issuer.metadata, type: 'jwt' },
      listed: new Map(
        carriedBy({ object: token, secret }).map(({ index }) => [index, this.#lists.get(index) ?? 'VALID']),
      ),
      earlierClaim: undefined,
      refused,
      targets: this.#pass.targets,
    };
  }

  #botUser(token: BotToken): PrincipalSeen {
    const { botUser } = this.#cache;
    if (botUser === undefined) return { state: 'absent', name: botUserNameOf(token) };
    const { deletionTimestamp: since } = botUser.metadata;
    if (since !== undefined) return { state: 'deleted', name: botUserNameOf(token), since };
    const around = { issuer: this.#server.issuer, namespaceLabels: {} };
    const grant = tokenGrant(token, botUser, [], around, this.#server.time);
    const suspended = isSuspended(botUser, this.#server.time);
    return { state: 'found', uid: botUser.metadata.uid, suspended, issuerUID: uidOf(around), grant };
  }

  #secret(token: BotToken): SecretSeen {
    const newest = [this.#pass.secret?.live, this.#cache.secret].sort((a, b) => versionOf(b) - versionOf(a))[0];
    if (newest === undefined) return { state: 'absent', confirmed: this.#pass.secret !== undefined };
    const seen = this.#readings.seen(token, newest, newest === this.#pass.secret?.live);
    return seen.state === 'ours' ? { ...seen, unreadable: this.#pass.unreadableAt === seen.resourceVersion } : seen;
  }

  #act(token: BotToken, step: Exclude<Step, { do: 'rest' }>, fault: Fault): void {
    switch (step.do) {
      case 'add-finalizer':
        this.#patchToken(token, withFinalizer(token, revokeFinalizer) ?? {}, fault);
        break;
      case 'remove-finalizer':
        this.#patchToken(token, withoutFinalizer(token, revokeFinalizer) ?? {}, fault);
        break;
      case 'write-status':
        this.#patchToken(token, { status: step.patch }, fault);
        break;
      case 'confirm':
        if (step.what === 'secret') this.#readSecret(token);
        else this.#confirmBotUser();
        break;
      case 'issue':
        this.#rewrite(token, step.over, minted(this.#server, token, step, digestKey), fault);
        break;
      case 'render':
        this.#render(token, step, fault);
        break;
      case 'label': {
        const body = { metadata: relabelled(owner(token), step.over, relabelledMarks(token, step.record)) };
        this.#writeSecret(token, step.over, body, fault);
        break;
      }
      case 'delete-secret':
        this.#deleteSecret(token, step, fault);
        break;
      case 'read-workloads':
        for (const target of step.targets) this.#readWorkload(target);
        break;
      case 'restart-workload':
        this.#restartWorkload(token, step, fault);
        break;
      case 'hand-over':
        this.#handOver(step, fault);
        break;
      case 'list':
        this.#list(step, fault);
        break;
      case 'copy':
        throw new Error('nobody in this world asks for copies');
      default:
        unreachable(step);
    }
  }

  #patchToken(token: BotToken, body: { metadata?: object; status?: object }, fault: Fault): void {
    try {
      const { resourceVersion } = token.metadata;
      const answer = send(this.#server, fault, () => this.#server.patchToken(resourceVersion, body));
      this.#cache.token = this.#server.token === undefined ? undefined : answer;
    } catch (error) {
      if (!isRefused(error, 'Conflict', 'NotFound')) throw error;
      this.hear('token');
    }
  }

  #handOver(step: Step & { do: 'hand-over' }, fault: Fault): void {
    try {
      this.#revocations = send(this.#server, fault, () => this.#server.handOver(step));
    } catch (error) {
      if (!isRefused(error, 'AlreadyExists', 'Conflict', 'NotFound')) throw error;
      this.#revocations = this.#server.revocations;
    }
  }

  #list({ changes }: Step & { do: 'list' }, fault: Fault): void {
    try {
      this.#lists = send(this.#server, fault, () => this.#server.list(changes));
    } catch (error) {
      if (!isRefused(error, 'Forbidden')) throw error;
      this.#refuse('Revoke');
    }
  }

  #refuse(operation: Refused['operation']): void {
    const refused: Refused = { operation, reason: 'WriteRefused', message: 'an admission policy says no' };
    this.#pass.refused = { ...this.#pass.refused, [operation]: refused };
  }

  #confirmBotUser(): void {
    this.hear('botUser');
    this.#pass.botUser = this.#cache.token?.metadata.resourceVersion;
  }

  #readWorkload(target: Target): void {
    const { workload } = this.#server;
    const { token } = this.#cache;
    const tokenID = token?.status?.tokenID ?? '';
    if (token !== undefined && workload !== undefined && isMarked(owner(token), workload, tokenID))
      this.#restarted(tokenID, workload);
    this.#saw(target, tokenID, workload);
  }

  #saw(target: Target, tokenID: string, workload: Workload | undefined): void {
    const restartedUID = this.#restarts.get(tokenID);
    const seen: TargetSeen =
      workload === undefined ? { state: 'absent', restartedUID } : { state: 'found', workload, restartedUID };
    this.#pass.targets.set(targetKey(target), seen);
  }

  /** There is one workload: what was restarted for a token is told by the token alone. */
  #restarted(tokenID: string, { metadata }: Workload): void {
    if (!this.#restarts.has(tokenID)) this.#restarts.set(tokenID, metadata.uid);
  }

  #restartWorkload(token: BotToken, step: Step & { do: 'restart-workload' }, fault: Fault): void {
    const { target, tokenID } = step;
    const { resourceVersion } = step.workload.metadata;
    const body = restartPatch(owner(token), tokenID);
    try {
      const workload = send(this.#server, fault, () => this.#server.patchWorkload(resourceVersion, body));
      this.#restarted(tokenID, workload);
      this.#saw(target, tokenID, workload);
    } catch (error) {
      if (isRefused(error, 'Forbidden')) this.#pass.targets.set(targetKey(target), { state: 'refused', message: 'no' });
      else if (isRefused(error, 'Conflict', 'NotFound')) this.#readWorkload(target);
      else throw error;
    }
  }

  #readSecret(token: BotToken): void {
    const { secret } = this.#server;
    this.#pass.secret = { live: secret };
    if (secret === undefined) this.#cache.secret = undefined;
    const seen = secret && this.#readings.seen(token, secret, true);
    if (secret === undefined || seen?.state !== 'ours' || seen.digest !== undefined) return;
    const { digest, keys } = digestOfSecret(whole(secret), digestKey);
    this.#readings.remember(secret, digest, keys);
  }

  #render(token: BotToken, step: Step & { do: 'render' }, fault: Fault): void {
    const { secret } = this.#server;
    const { over, record } = step;
    const { tokenID, revision, inputs } = record;
    if (secret?.metadata.resourceVersion !== over.resourceVersion) {
      this.#readSecret(token);
      return;
    }
    const credential = readBack(inputs.secret.data, dataOf(whole(secret)), { ...inputs, tokenID });
    const marks = { revision, tokenID, inputs: { ...step.inputs, secret: renderingOf(token) } };
    if (credential === undefined) this.#pass.unreadableAt = over.resourceVersion;
    else this.#rewrite(token, over, rendered(credential, marks, digestKey), fault);
  }

  #rewrite(token: BotToken, over: OwnSecret | undefined, minted: Minted, fault: Fault): void {
    const body =
      over === undefined
        ? newSecret(owner(token), minted)
        : rewrittenSecret(owner(token), over, this.#readings.keys(over.uid, token), minted);
    this.#writeSecret(token, over, body, fault, minted);
  }

  #writeSecret(token: BotToken, over: OwnSecret | undefined, body: object, fault: Fault, minted?: Minted): void {
    const write = () =>
      over === undefined ? this.#server.createSecret(body) : this.#server.patchSecret(over.resourceVersion, body);
    try {
      const written = send(this.#server, fault, write);
      delete this.#pass.secret;
      const digest = minted === undefined ? over?.digest : minted.inputs.digest;
      const keys = minted === undefined ? this.#readings.keys(written.metadata.uid, token) : minted.data.keys();
      if (digest !== undefined) this.#readings.remember(written, digest, keys);
      this.#cache.secret = written;
    } catch (error) {
      if (isRefused(error, 'Forbidden')) this.#refuse('Write');
      else if (isRefused(error, 'Conflict', 'AlreadyExists', 'NotFound')) this.#readSecret(token);
      else throw error;
    }
  }

  #deleteSecret(token: BotToken, step: Step & { do: 'delete-secret' }, fault: Fault): void {
    if (step.cause === 'predecessor') {
      this.hear('token');
      if (this.#cache.token?.metadata.uid !== token.metadata.uid) return;
    }
    try {
      send(this.#server, fault, () => this.#server.deleteSecret(step.uid, step.resourceVersion));
      this.#cache.secret = undefined;
      this.#pass.secret = { live: undefined };
    } catch (error) {
      if (isRefused(error, 'Forbidden')) this.#refuse(step.cause === 'revoked' ? 'Delete' : 'Write');
      else if (isRefused(error, 'Conflict')) this.#readSecret(token);
      else throw error;
    }
  }
}

function owner(object: BotToken): Owner {
  return { kind: botTokens, object };
}

function newPass(): Pass {
  return { unreadableAt: undefined, botUser: undefined, refused: {}, targets: new Map(), targetsFor: undefined };
}

/** What the metadata watch of our label shows. */
function labelled(secret: StoredSecret | undefined): StoredSecret | undefined {
  return secret?.metadata.labels?.[managedLabel] === undefined ? undefined : secret;
}

function versionOf(secret: StoredSecret | undefined): number {
  return Number(secret?.metadata.resourceVersion ?? 0);
}

function isRefused(error: unknown, ...reasons: Refusal['reason'][]): boolean {
  return error instanceof Refusal && reasons.includes(error.reason);
}
