import { eventually } from '../cluster/wait.ts';
import { Follow, type SeenStatus } from './follow.ts';
import { wavePath } from './objects.ts';
import type { Plural } from './wished.ts';

/** From the first write to the last record of a wave; performance.now(). */
export interface Span {
  from: number;
  to: number;
}

/** A token that was issued, for the first time or anew. */
export const isIssued = ({ tokenID }: SeenStatus) => tokenID !== undefined;

/** What somebody who watches the tokens of one wave sees of what is done to them. */
export class Wave {
  readonly #applied = new Set<string>();
  readonly #recorded = new Set<string>();
  #firstWriteAt = 0;
  #lastRecordAt = 0;
  #follow: Follow | undefined;

  /** To be opened before anything happens to the tokens; `isRecorded` tells by its status that one has got there. */
  static async open(
    kubeconfig: string,
    name: string,
    isRecorded: (status: SeenStatus) => boolean = isIssued,
    plural: Plural = 'bottokens',
  ): Promise<Wave> {
    const wave = new Wave();
    wave.#follow = await Follow.open(kubeconfig, wavePath(name, plural), ({ type, object }) => {
      if (type === 'ADDED') wave.#applied.add(object.metadata.uid);
      if (type !== 'MODIFIED') return;
      if (wave.#firstWriteAt === 0) wave.#firstWriteAt = performance.now();
      if (object.status === undefined || !isRecorded(object.status)) return;
      if (wave.#recorded.has(object.metadata.uid)) return;
      wave.#recorded.add(object.metadata.uid);
      wave.#lastRecordAt = performance.now();
    });
    return wave;
  }

  /** Resolves when so many are seen that nobody has touched. */
  applied(count: number): Promise<unknown> {
    return eventually(`${count} tokens applied`, () => this.#applied.size >= count);
  }

  /** How many are recorded by now. */
  get size(): number {
    return this.#recorded.size;
  }

  /** Resolves when so many are recorded. */
  async recorded(count: number): Promise<Span> {
    const look = () => this.#recorded.size >= count;
    await eventually(`${count} tokens recorded`, look, { seconds: 600, everyMilliseconds: 50 });
    return { from: this.#firstWriteAt, to: this.#lastRecordAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follow?.close();
  }
}

/** Seconds that a wave took. */
export function secondsOf({ from, to }: Span): number {
  return (to - from) / 1000;
}
