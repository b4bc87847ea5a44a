import type { Credentialed } from '../api/credentialed.ts';
import type { Kind } from '../api/kind.ts';
import { revokeFinalizer } from '../api/names.ts';
import { isOlder } from '../api/object.ts';
import { unreachable } from '../base/errors.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { decide } from '../decide/credential.ts';
import { claimsSecret, type Observed, type PrincipalSeen, type Refused, type Step } from '../decide/credential-seen.ts';
import { handOverTime } from '../decide/hand-over.ts';
import type { CredentialKind, KindName } from '../decide/kind.ts';
import { carriedBy } from '../decide/listing.ts';
import type { Outcome } from '../kube/controller.ts';
import { type Key, keyOf } from '../kube/objects.ts';
import type { Store } from '../kube/store.ts';
import { secretKeyOf } from './caches.ts';
import { Consumers, Restarts } from './consumers.ts';
import { Copies, leftBehind } from './copies.ts';
import { CredentialSecret, type CredentialSecretOptions, type Mint, type Remake } from './credential-secret.ts';
import { failedList, refusedList } from './failed-attempt.ts';
import type { HandOver } from './hand-over.ts';
import { Kept } from './kept.ts';
import { SecretReadings } from './secret-readings.ts';
import type { StatusLists } from './status-lists.ts';
import { restUntil, Unsettled, type World } from './world.ts';

/** More steps than the longest way there is: an issue and the restart of 16 workloads with a conflict at every write. */
const mostSteps = 64;

/** What the controller of one kind of object with a credential knows of it. */
export interface CredentialsOptions<T extends Credentialed> {
  kind: CredentialKind;
  resource: Kind<T>;
  store: Store<T>;
  /** Where the objects are that may name the same Secret, of all kinds, with an index `secret`. */
  claimants: readonly { kind: KindName; store: Pick<Store<Credentialed>, 'byIndex'> }[];
  mint: Mint<T>;
  remake?: Remake<T>;
  /** Whom the credential speaks for, by the caches. */
  principal: (object: T) => PrincipalSeen;
  /** Reads live into the caches on whom or what the credential depends. */
  refresh: (what: 'principal' | 'issuer', object: T, signal: AbortSignal) => Promise<void>;
  statusLists: Pick<StatusLists, 'seen' | 'write'>;
  handOver: HandOver;
  digestKey: SecretValue;
}

/** What one pass has shown beyond the caches. */
interface Pass<T extends Credentialed> {
  secret: CredentialSecret<T>;
  /** A write of a status list that was refused. */
  unlisted: Refused | undefined;
  consumers: Consumers;
  /** The resourceVersion of the object for which each was read: what another process has made of it since may rest on newer ones. */
  confirmed: { principal: string | undefined; issuer: string | undefined };
}

/**
 * Brings one object and its credential a step at a time to where its spec wants it: look, decide, one write, look again. What
 * a write answers goes into the caches, so each look reads its own writes, and a crash after any of them leaves nothing that
 * the next look does not understand.
 */
export class Credentials<T extends Credentialed> {
  readonly #world: World;
  readonly #of: CredentialsOptions<T>;
  readonly #kept: Kept<T>;
  readonly #secrets: CredentialSecretOptions<T>;
  readonly #restarts = new Restarts();
  readonly #copies: Copies<T>;

  constructor(world: World, of: CredentialsOptions<T>) {
    this.#world = world;
    this.#of = of;
    this.#kept = new Kept(world.client, of.resource, of.store);
    const readings = new SecretReadings();
    this.#secrets = { world, kind: of.kind, mint: of.mint, remake: of.remake, digestKey: of.digestKey, readings };
    const isCurrent = (object: T, signal: AbortSignal) => this.#isCurrent(object, signal);
    this.#copies = new Copies({ world, kind: of.kind, store: of.store, digestKey: of.digestKey, isCurrent });
    world.caches.secrets.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) readings.forget(before.metadata.uid);
    });
    of.store.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) this.#restarts.forget(before.metadata.uid);
    });
  }

  async reconcile(key: Key, signal: AbortSignal): Promise<Outcome> {
    const pass: Pass<T> = {
      secret: new CredentialSecret(this.#secrets),
      unlisted: undefined,
      consumers: new Consumers(this.#world.client, this.#of.kind, this.#restarts),
      confirmed: { principal: undefined, issuer: undefined },
    };
    for (let steps = 0; steps < mostSteps; steps++) {
      const object = this.#of.store.get(key);
      if (object === undefined) return { next: 'on-change' };
      const step = decide(this.#observe(object, pass), this.#world.clock.now());
      if (step.do === 'rest') return restUntil(step.until);
      await this.#act(object, step, pass, signal);
    }
    throw new Unsettled(`${this.#of.kind.name} ${key} did not settle in ${mostSteps} steps`);
  }

  #observe(object: T, pass: Pass<T>): Observed {
    const { kind, principal, statusLists, handOver } = this.#of;
    const { resourceVersion } = object.metadata;
    const secret = pass.secret.seen(object);
    const carried = carriedBy({ object, secret });
    const listed = carried.map(({ index, issuerUID }) => [index, statusLists.seen(index, issuerUID)] as const);
    return {
      kind,
      object,
      principal: principal(object),
      secret,
      confirmed: {
        principal: pass.confirmed.principal === resourceVersion,
        issuer: pass.confirmed.issuer === resourceVersion,
      },
      revocations: handOver.seen(object),
      lostIssuer: handOver.lostIssuer(object),
      earlierClaim: this.#earlierClaim(object),
      listed: new Map(listed),
      refused: { ...pass.secret.refused, Revoke: pass.unlisted },
      targets: pass.consumers.seen(object),
      copies: this.#copies.seen(object),
    };
  }

  #earlierClaim(object: T): string | undefined {
    const key = secretKeyOf(object);
    for (const { kind, store } of this.#of.claimants) {
      const others = store.byIndex('secret', key);
      const earlier = others.find(
        other => claimsSecret(other) && other.metadata.uid !== object.metadata.uid && isOlder(other, object),
      );
      if (earlier !== undefined) return `${kind}/${earlier.metadata.name}`;
    }
    return undefined;
  }

  async #act(object: T, step: Exclude<Step, { do: 'rest' }>, pass: Pass<T>, signal: AbortSignal): Promise<void> {
    switch (step.do) {
      case 'add-finalizer':
        await this.#kept.finalize(object, revokeFinalizer, signal);
        return;
      case 'remove-finalizer':
        return this.#release(object, signal);
      case 'write-status':
        return this.#writeStatus(object, step, signal);
      case 'confirm':
        return this.#confirm(object, step.what, pass, signal);
      case 'issue':
        return pass.secret.issue(object, step, signal);
      case 'render':
        return pass.secret.render(object, step, signal);
      case 'label':
        return pass.secret.label(object, step, signal);
      case 'delete-secret':
        return this.#deleteSecret(object, step, pass, signal);
      case 'read-workloads':
        return pass.consumers.look(object, step, signal);
      case 'restart-workload':
        return pass.consumers.restart(object, step, signal);
      case 'list':
        return this.#list(object, step, pass, signal);
      case 'copy':
        return this.#copies.carryOut(object, step, signal);
      case 'hand-over':
        return this.#of.handOver.carryOut(object, step, signal);
      default:
        return unreachable(step);
    }
  }

  /**
   * What the API server refuses, or a list that is none any more, is there at the next look. For an object that goes so is
   * every other failure: it must be put down, or nobody would know after a restart that it is time for a hand-over.
   */
  async #list(object: T, { issuer, changes }: Step & { do: 'list' }, pass: Pass<T>, signal: AbortSignal) {
    try {
      await this.#of.statusLists.write(issuer, changes, signal);
    } catch (error) {
      const goes = handOverTime({ object, principal: this.#of.principal(object) }) !== undefined;
      const refused = refusedList(error) ?? (goes ? failedList(error, signal) : undefined);
      if (refused === undefined) throw error;
      pass.unlisted = refused;
      this.#world.metrics.failed.inc({ reason: refused.reason });
    }
  }

  async #release(object: T, signal: AbortSignal): Promise<void> {
    const gone = await this.#kept.release(object, revokeFinalizer, signal);
    if (gone && object.status?.tokenID !== undefined) this.#world.metrics.revoked.inc({ cause: 'deleted' });
    const left = gone ? this.#copies.left(object) : [];
    if (left.length > 0)
      this.#world.report(this.#of.kind.name, object, leftBehind(left), { always: true, action: 'Delete' });
  }

  async #isCurrent(object: T, signal: AbortSignal): Promise<boolean> {
    await this.#kept.refresh(object.metadata, signal);
    return this.#of.store.get(keyOf(object))?.metadata.resourceVersion === object.metadata.resourceVersion;
  }

  async #writeStatus(object: T, step: Step & { do: 'write-status' }, signal: AbortSignal): Promise<void> {
    if (!(await this.#kept.patchStatus(object, step.patch, signal))) return;
    if (step.because === 'revoked') this.#world.metrics.revoked.inc({ cause: step.verdict.reason });
    this.#world.report(this.#of.kind.name, object, step.verdict, {
      always: step.because === 'issued',
      action: 'Reconcile',
    });
  }

  async #deleteSecret(object: T, step: Step & { do: 'delete-secret' }, pass: Pass<T>, signal: AbortSignal) {
    if (step.cause === 'predecessor') {
      // Before another UID's Secret is touched: a live read must say that this object is the one of that name.
      await this.#kept.refresh(object.metadata, signal);
      if (this.#of.store.get(keyOf(object))?.metadata.uid !== object.metadata.uid) return;
    }
    await pass.secret.delete(object, step, signal);
  }

  async #confirm(
    object: T,
    what: 'principal' | 'issuer' | 'secret',
    pass: Pass<T>,
    signal: AbortSignal,
  ): Promise<void> {
    if (what === 'secret') return pass.secret.read(object, signal);
    await this.#of.refresh(what, object, signal);
    pass.confirmed[what] = object.metadata.resourceVersion;
  }
}
