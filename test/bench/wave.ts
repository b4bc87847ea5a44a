import { eventually } from '../cluster/wait.ts';
import { Follow } from './follow.ts';
import { wavePath } from './objects.ts';

/** What somebody who watches the tokens of one wave sees of their issue. */
export class Wave {
  readonly #applied = new Set<string>();
  readonly #recorded = new Set<string>();
  #firstWriteAt = 0;
  #lastRecordAt = 0;
  #follow: Follow | undefined;

  /** To be opened before the tokens are applied. */
  static async open(kubeconfig: string, name: string): Promise<Wave> {
    const wave = new Wave();
    wave.#follow = await Follow.open(kubeconfig, wavePath(name), ({ type, object }) => {
      if (type === 'ADDED') wave.#applied.add(object.metadata.uid);
      if (type !== 'MODIFIED') return;
      if (wave.#firstWriteAt === 0) wave.#firstWriteAt = performance.now();
      if (object.status?.tokenID === undefined || wave.#recorded.has(object.metadata.uid)) return;
      wave.#recorded.add(object.metadata.uid);
      wave.#lastRecordAt = performance.now();
    });
    return wave;
  }

  /** Resolves when so many are seen that nobody has touched. */
  applied(count: number): Promise<unknown> {
    return eventually(`${count} tokens applied`, () => this.#applied.size >= count, { seconds: 60 });
  }

  /** Resolves when so many are recorded; seconds from the first write to the last record. */
  async recorded(count: number): Promise<number> {
    const look = () => this.#recorded.size >= count;
    await eventually(`${count} tokens recorded`, look, { seconds: 600, everyMilliseconds: 50 });
    return (this.#lastRecordAt - this.#firstWriteAt) / 1000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follow?.close();
  }
}
