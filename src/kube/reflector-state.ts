import type { Page } from './calls.ts';
import { isGone, KubeError } from './errors.ts';
import {
  compareVersions,
  isRecord,
  type KubeObject,
  MalformedObject,
  parseKubeObject,
  type Resource,
} from './objects.ts';
import type { Store } from './store.ts';

/** What the reflector does next. */
export type Step = { do: 'list'; continue: string | undefined } | { do: 'watch'; resourceVersion: string };

/** An object that is there but that the resource's parser refuses; the store has it as unreadable. */
export type Refused = (object: KubeObject, error: unknown) => void;

interface Listing<T> {
  continue: string | undefined;
  /** Of the first page; the later ones show the same moment. */
  resourceVersion: string | undefined;
  found: { object: KubeObject; parsed: T | undefined }[];
}

const shortestPause = 100;
const longestPause = 30_000;
// Measured from before the request, a watch that ran its time has never less than 1; below it somebody else cut it.
const wholeTerm = 0.98;

/** How a list and the watches after it become the state of a store. Holds no timer and makes no call, so a test can step through it. */
export class ReflectorState<T extends KubeObject> {
  readonly #resource: Resource<T>;
  readonly #store: Store<T>;
  readonly #refused: Refused;
  /** Undefined while there is a version to watch from. */
  #listing: Listing<T> | undefined = begun();
  #resourceVersion = '0';
  #failures = 0;
  #proofs = 0;

  constructor(resource: Resource<T>, store: Store<T>, refused: Refused) {
    this.#resource = resource;
    this.#store = store;
    this.#refused = refused;
  }

  next(): Step {
    if (this.#listing !== undefined) return { do: 'list', continue: this.#listing.continue };
    return { do: 'watch', resourceVersion: this.#resourceVersion };
  }

  /** Grows with everything that shows the store to be complete up to that moment. */
  get proofs(): number {
    return this.#proofs;
  }

  /** Nothing of an unfinished list reaches the store. */
  page(page: Page<unknown>): void {
    const listing = this.#listing ?? begun();
    listing.resourceVersion ??= page.resourceVersion;
    listing.found.push(...page.items.map(item => this.#read(parseKubeObject(item))));
    if (page.continue !== undefined) {
      listing.continue = page.continue;
      return;
    }
    this.#store.replace(listing.found, listing.resourceVersion);
    this.#resourceVersion = listing.resourceVersion;
    this.#listing = undefined;
    this.#proofs++;
  }

  /** A line of a watch. Throws the server's own error, or MalformedObject; what came before stays good. */
  line(line: string): void {
    const { type, object } = eventOf(line);
    if (type === 'ERROR') throw KubeError.of(codeOf(object), object, undefined);
    const resourceVersion = type === 'BOOKMARK' ? this.#bookmark(object) : this.#change(type, parseKubeObject(object));
    this.#failures = 0;
    // A bookmark of an API server whose own cache lags may lie before our list: it proves nothing.
    if (compareVersions(resourceVersion, this.#resourceVersion) < 0) return;
    this.#resourceVersion = resourceVersion;
    this.#proofs++;
  }

  /** A page came (no error) or not. Returns for how many milliseconds to wait, `random` being between 0 and 1. */
  listEnded(error: unknown, random: number): number {
    return error === undefined ? 0 : this.#failed(error, random);
  }

  /**
   * A watch ended after `share` of its time (1 is all of it), having brought so many proofs. Returns as `listEnded` does.
   *
   * An orderly end after the whole time is a proof, too, and the only one on a quiet resource: the server sends the
   * bookmark before the end only when its version is above the one that the watch began with (cacheWatcher.process).
   */
  watchEnded(of: { error: unknown; proofs: number; share: number }, random: number): number {
    if (of.error !== undefined) return this.#failed(of.error, random);
    if (of.share < wholeTerm) return of.proofs > 0 ? 0 : this.#failed(undefined, random);
    this.#failures = 0;
    this.#proofs++;
    return 0;
  }

  #failed(error: unknown, random: number): number {
    // A version or a continue token that the server no longer remembers: only a list from its beginning helps.
    if (isGone(error)) this.#listing = begun();
    const pause = Math.min(longestPause, shortestPause * 2 ** Math.min(this.#failures, 20));
    // The first relist does not wait; one that leads nowhere does.
    const atOnce = isGone(error) && this.#failures === 0;
    this.#failures++;
    return atOnce ? 0 : pause * (0.5 + random / 2);
  }

  #bookmark(object: unknown): string {
    const resourceVersion = isRecord(object) && isRecord(object.metadata) ? object.metadata.resourceVersion : undefined;
    if (typeof resourceVersion !== 'string') throw new MalformedObject('a bookmark without resourceVersion');
    this.#store.bookmark(resourceVersion);
    return resourceVersion;
  }

  #change(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): string {
    if (type === 'DELETED') this.#store.deleted(object);
    else this.#store.changed(object, this.#read(object).parsed);
    return object.metadata.resourceVersion;
  }

  /** Of what could be parsed only the identity stays: while a long list comes in, nothing is held twice. */
  #read(object: KubeObject): { object: KubeObject; parsed: T | undefined } {
    Reflect.deleteProperty(object.metadata, 'managedFields'); // the larger half of most objects
    try {
      const parsed = this.#resource.parse(object);
      return { object: { metadata: object.metadata }, parsed };
    } catch (error) {
      this.#refused(object, error);
      return { object, parsed: undefined };
    }
  }
}

function begun<T>(): Listing<T> {
  return { continue: undefined, resourceVersion: undefined, found: [] };
}

const types = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const;

function eventOf(line: string): { type: (typeof types)[number]; object: unknown } {
  const event = parsed(line);
  const type = isRecord(event) ? types.find(each => each === event.type) : undefined;
  if (!isRecord(event) || type === undefined) throw new MalformedObject('a line of a watch that is no event');
  return { type, object: event.object };
}

// The parser's own error is dropped on purpose: it quotes what it could not parse.
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function codeOf(status: unknown): number {
  return isRecord(status) && typeof status.code === 'number' ? status.code : 500;
}
