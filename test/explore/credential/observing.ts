import type { ClusterTokenIssuer } from '../../../src/api/cluster-token-issuer.ts';
import type { Credentialed } from '../../../src/api/credentialed.ts';
import { managedLabel } from '../../../src/api/names.ts';
import { isOlder } from '../../../src/api/object.ts';
import { SecretReadings } from '../../../src/controllers/secret-readings.ts';
import { issuerInUse } from '../../../src/decide/credential-record.ts';
import { claimsSecret, type Observed, type SecretSeen, secretNameOf } from '../../../src/decide/credential-seen.ts';
import type { StoredSecret } from '../../decide/api-server.ts';
import { type Beside, type Contents, secretUID } from './contents.ts';
import type { Walked } from './kind.ts';
import { cached, type Layout } from './layout.ts';

/** What one operator sees: its caches, and what its pass has found out. */
export class Sight<T extends Credentialed, B extends Beside> {
  readonly #of: Walked<T, B>;
  readonly #contents: Contents<T, B>;
  readonly #layout: Layout;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly now: Date;

  constructor(
    of: Walked<T, B>,
    contents: Contents<T, B>,
    { layout, words, operator, now }: { layout: Layout; words: Int32Array; operator: number; now: Date },
  ) {
    this.#of = of;
    this.#contents = contents;
    this.#layout = layout;
    this.#words = words;
    this.#base = layout.operator(operator);
    this.now = now;
  }

  word(offset: number): number {
    return this.#words[this.#base + offset] ?? 0;
  }

  object(t: number): T | undefined {
    return objectAt(this.#contents, this.#words, this.#base + cached.objects + 4 * t);
  }

  beside(): B | undefined {
    const content = this.word(cached.beside);
    return content === 0 ? undefined : this.#contents.besideOf(content, this.word(cached.beside + 1));
  }

  issuer(): ClusterTokenIssuer | undefined {
    const content = this.word(cached.issuer);
    return content === 0 ? undefined : this.#contents.issuerOf(content, this.word(cached.issuer + 1));
  }

  objects(): T[] {
    return Array.from({ length: this.#layout.objects }, (_, t) => this.object(t)).filter(each => each !== undefined);
  }

  readings(): SecretReadings {
    const readings = new SecretReadings();
    const from = cached.reading;
    if (this.word(from) === 0) return readings;
    const { digest, keys } = this.#contents.readings.valueOf(this.word(from + 2));
    const metadata = { uid: secretUID(this.word(from)), resourceVersion: String(this.word(from + 1)) };
    readings.remember({ metadata } as never, digest, keys);
    return readings;
  }

  /** The Secret as the watch shows it, or as it was read live in this pass, whichever is newer. */
  newestSecret(): { secret: StoredSecret; isLive: boolean } | undefined {
    const live = this.word(cached.live) === 2 ? this.#secretAt(cached.live + 1) : undefined;
    const seen = this.#secretAt(cached.secret);
    const newer = live !== undefined && (seen === undefined || versionOf(live) >= versionOf(seen));
    if (newer) return { secret: live, isLive: true };
    return seen && { secret: seen, isLive: false };
  }

  observed(object: T): Observed {
    const { kind } = this.#of;
    const found = this.word(cached.found);
    const others = this.objects().filter(other => other.metadata.name !== object.metadata.name);
    const rivals = others.filter(other => secretNameOf(other) === secretNameOf(object) && claimsSecret(other));
    const earlier = rivals.find(other => isOlder(other, object));
    const refused = (found & 12) === 0 ? undefined : (found & 4) !== 0 ? ('Write' as const) : ('Delete' as const);
    return {
      kind,
      object,
      principal: this.#of.principal(this, object),
      secret: this.#secret(object),
      confirmed: { principal: (found & 1) !== 0, issuer: (found & 2) !== 0 },
      revocations: [],
      lostIssuer: undefined,
      listed: new Map(),
      targets: new Map(),
      earlierClaim: earlier && `${kind.name}/${earlier.metadata.name}`,
      refused:
        refused === undefined
          ? {}
          : { [refused]: { operation: refused, reason: 'WriteRefused', message: 'an admission policy says no' } },
    };
  }

  /** What was counted live in this pass. */
  counted(): number | undefined {
    const counted = this.word(cached.counted);
    return counted === 0 ? undefined : counted - 1;
  }

  #secret(object: T): SecretSeen {
    const newest = this.newestSecret();
    if (newest === undefined) return { state: 'absent', confirmed: this.word(cached.live) !== 0 };
    const seen = this.readings().seen(object, newest.secret, newest.isLive);
    if (seen.state !== 'ours') return seen;
    return { ...seen, unreadable: this.word(cached.unreadableAt) === versionOf(newest.secret) };
  }

  #secretAt(offset: number): StoredSecret | undefined {
    const content = this.word(offset);
    return content === 0 ? undefined : this.#contents.secretOf(content, this.word(offset + 1), this.word(offset + 2));
  }
}

export function objectAt<T extends Credentialed, B extends Beside>(
  contents: Contents<T, B>,
  words: Int32Array,
  from: number,
): T | undefined {
  const content = words[from] ?? 0;
  if (content === 0) return undefined;
  const [version = 0, recordUID = 0, recordVersion = 0] = words.subarray(from + 1, from + 4);
  return contents.objectOf({ content, version, recordUID, recordVersion });
}

function versionOf({ metadata }: StoredSecret): number {
  return Number(metadata.resourceVersion);
}

/** What the metadata watch of our label shows of a Secret. */
export function isWatched({ metadata }: StoredSecret): boolean {
  return metadata.labels?.[managedLabel] !== undefined;
}

/** As the controller of issuers counts. */
export function countsForIssuer(issuer: ClusterTokenIssuer, object: Credentialed): boolean {
  return issuerInUse(object) === issuer.metadata.uid;
}
