import type { Credentialed } from '../../../src/api/credentialed.ts';
import { revokeFinalizer } from '../../../src/api/names.ts';
import { unreachable } from '../../../src/base/errors.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { dataOf } from '../../../src/controllers/secret-readings.ts';
import {
  type Minted,
  newSecret,
  relabelled,
  relabelledMarks,
  rendered,
  rewrittenSecret,
} from '../../../src/controllers/secret-writes.ts';
import { decide } from '../../../src/decide/credential.ts';
import type { OwnSecret, Step } from '../../../src/decide/credential-seen.ts';
import { knownOf as credentialOf, readBack } from '../../../src/decide/secret-data.ts';
import { type Owner, renderingOf } from '../../../src/decide/secret-metadata.ts';
import { withFinalizer, withoutFinalizer } from '../../../src/kube/finalizer.ts';
import { applyMergePatch } from '../../base/apply-merge-patch.ts';
import { type StoredSecret, whole } from '../../decide/api-server.ts';
import type { Beside, Contents, Snapshot } from './contents.ts';
import type { Ablation, Walked } from './kind.ts';
import type { Sight } from './observing.ts';

export const digestKey = new SecretValue('the key of the operator');

/** What the world has at the moment of a write: how many credentials of the revision are known anywhere, and what is beside. */
export interface Making<B> {
  nonce: number;
  beside: B | undefined;
}

/** The data that one write of a Secret brings, as the operator remembers it: undefined for its metadata alone. */
type Known = { digest: string; keys: readonly string[] } | undefined;

/** `unreadable`: it was read, and does not hold the credential; `gone`: what it would be made from is another by now. */
type Made = { content: number; known: Known } | 'unreadable' | 'gone';

export type Written = Omit<Snapshot, 'version'> | 'gone';

/** What an operator does next, as an effect on the model's world. The decisions are the real ones. */
export type Effect<B extends Beside> =
  | { do: 'rest' }
  /** A live read. */
  | { do: 'confirm'; what: 'principal' | 'issuer' | 'secret' | 'count' }
  /** `onto`: what the same patch makes of another version. */
  | { do: 'write-object'; after: Written; onto: (content: Snapshot) => Written }
  | { do: 'write-beside' | 'write-issuer'; content: number }
  | { do: 'create-secret'; body: (by: Making<B>) => Exclude<Made, 'unreadable'>; id: string }
  | { do: 'patch-secret'; version: number; body: (secret: StoredSecret, by: Making<B>) => Made; id: string | undefined }
  | { do: 'delete-secret'; version: number; uid: string; predecessor: boolean };

/** What the real decision says of one object. This is the one place that knows every step. */
export function objectEffect<T extends Credentialed, B extends Beside>(
  of: Walked<T, B>,
  sight: Sight<T, B>,
  t: number,
  { contents, without }: { contents: Contents<T, B>; without: Ablation },
): Effect<B> {
  const object = sight.object(t);
  if (object === undefined) return { do: 'rest' };
  const observed = sight.observed(object);
  const seen = without.sees?.(observed) ?? observed;
  const decided = decide(seen, sight.now);
  return new Acting(of, sight, object, contents).effect(without.does?.(decided, seen) ?? decided);
}

class Acting<T extends Credentialed, B extends Beside> {
  readonly #of: Walked<T, B>;
  readonly #sight: Sight<T, B>;
  readonly #object: T;
  readonly #contents: Contents<T, B>;
  readonly #owner: Owner;

  constructor(of: Walked<T, B>, sight: Sight<T, B>, object: T, contents: Contents<T, B>) {
    this.#of = of;
    this.#sight = sight;
    this.#object = object;
    this.#contents = contents;
    this.#owner = { kind: of.kind, object };
  }

  effect(step: Step): Effect<B> {
    switch (step.do) {
      case 'rest':
        return { do: 'rest' };
      case 'confirm':
        return { do: 'confirm', what: step.what };
      case 'add-finalizer':
        return this.#patched(withFinalizer(this.#object, revokeFinalizer) ?? {});
      case 'remove-finalizer':
        return this.#patched(withoutFinalizer(this.#object, revokeFinalizer) ?? {});
      case 'write-status':
        return this.#patched({ status: step.patch });
      case 'issue':
        return this.#issue(step);
      case 'render':
        return this.#render(step);
      case 'label':
        return this.#label(step);
      case 'delete-secret': {
        const { uid, resourceVersion, cause } = step;
        return { do: 'delete-secret', uid, version: Number(resourceVersion), predecessor: cause === 'predecessor' };
      }
      case 'read-workloads':
      case 'restart-workload':
      case 'hand-over':
      case 'list':
      case 'copy':
        // Nothing here restarts anything, is copied or stands in a status list, and no revocation is held up.
        throw new Error(`${step.do}: no scenario has this`);
      default:
        return unreachable(step);
    }
  }

  #patched(body: { metadata?: object; status?: object }): Effect<B> {
    const written = (object: T): Written => {
      const after = this.#of.parse(applyMergePatch(object, body));
      const gone = after.metadata.deletionTimestamp !== undefined && (after.metadata.finalizers ?? []).length === 0;
      return gone ? 'gone' : this.#contents.snapshotOf(after);
    };
    const onto = (snapshot: Snapshot) => written(this.#contents.objectOf(snapshot));
    return { do: 'write-object', after: written(this.#object), onto };
  }

  #issue(step: Step & { do: 'issue' }): Effect<B> {
    const [object, sight] = [this.#object, this.#sight];
    if (sight.issuer()?.metadata.uid !== step.wish.issuer.uid) return { do: 'rest' };
    const id = `${object.metadata.uid}.${step.revision}.`;
    const mint = (by: Making<B>) => this.#of.minted(object, step, { ...by, now: sight.now, seen: sight.beside() });
    const { over } = step;
    if (over !== undefined) return this.#rewrite(over, (_, by) => mint(by) ?? 'gone', id);
    const body = (by: Making<B>) => {
      const made = mint(by);
      if (made === undefined) return 'gone';
      const secret = newSecret(this.#owner, made) as unknown as StoredSecret;
      return { content: this.#contents.numberOfSecret(bare(secret)), known: knownOf(made) };
    };
    return { do: 'create-secret', body, id };
  }

  #render(step: Step & { do: 'render' }): Effect<B> {
    const { tokenID, revision, inputs } = step.record;
    const make = (secret: StoredSecret) => {
      const credential = readBack(inputs.secret.data, dataOf(whole(secret)), credentialOf(tokenID, inputs));
      if (credential === undefined) return 'unreadable';
      const of = { secret: credential, revision, inputs: step.inputs, seen: this.#sight.beside() };
      const made = { ...this.#of.remade(this.#object, of), secret: renderingOf(this.#object) };
      return rendered(credential, { revision, tokenID, inputs: made }, digestKey);
    };
    return this.#rewrite(step.over, make, undefined);
  }

  #rewrite(
    over: OwnSecret,
    make: (secret: StoredSecret, by: Making<B>) => Minted | 'unreadable' | 'gone',
    id: string | undefined,
  ): Effect<B> {
    const keys = this.#sight.readings().keys(over.uid, this.#object);
    const body = (secret: StoredSecret, by: Making<B>) => {
      const made = make(secret, by);
      if (made === 'unreadable' || made === 'gone') return made;
      const after = merged(secret, rewrittenSecret(this.#owner, over, keys, made));
      return { content: this.#contents.numberOfSecret(after), known: knownOf(made) };
    };
    return { do: 'patch-secret', version: Number(over.resourceVersion), body, id };
  }

  #label({ over, record }: Step & { do: 'label' }): Effect<B> {
    const marks = { metadata: relabelled(this.#owner, over, relabelledMarks(this.#object, record)) };
    const keys = this.#sight.readings().keys(over.uid, this.#object);
    const known = over.digest === undefined ? undefined : { digest: over.digest, keys };
    const body = (secret: StoredSecret) => ({ content: this.#contents.numberOfSecret(merged(secret, marks)), known });
    return { do: 'patch-secret', version: Number(over.resourceVersion), body, id: undefined };
  }
}

function knownOf(made: Minted): Known {
  return { digest: made.inputs.digest, keys: [...made.data.keys()] };
}

function merged(secret: StoredSecret, body: object): StoredSecret {
  return applyMergePatch(secret, body) as StoredSecret;
}

/** Only what a Secret is looked at for. */
function bare({ metadata, data }: StoredSecret): StoredSecret {
  const { labels, annotations, ownerReferences } = metadata as unknown as Record<string, unknown>;
  return { metadata: { labels, annotations, ownerReferences } as never, data };
}
