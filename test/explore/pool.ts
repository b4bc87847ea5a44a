import { Worker } from 'node:worker_threads';
import type { Report } from './explore.ts';
import type { Run } from './runs.ts';

/** A run and what came of it. */
export interface Result {
  run: Run;
  report: Report;
}

/** Explores everything on so many threads; `each` is told of every result as it comes. In the order of the runs. */
export async function exploreAll(
  runs: readonly Run[],
  o: { threads: number; full: boolean; each?: (result: Result) => void },
): Promise<Result[]> {
  const waiting = [...runs];
  const results = new Map<string, Report>();
  const thread = async () => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url));
    try {
      for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
        const report = await answer(worker, run.name, o.full);
        results.set(run.name, report);
        o.each?.({ run, report });
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: o.threads }, thread));
  return runs.flatMap(run => {
    const report = results.get(run.name);
    return report === undefined ? [] : [{ run, report }];
  });
}

function answer(worker: Worker, name: string, full: boolean): Promise<Report> {
  const { promise, resolve, reject } = Promise.withResolvers<Report>();
  worker.once('error', reject);
  worker.once('message', ({ report }: { report: Report }) => {
    worker.off('error', reject);
    resolve(report);
  });
  worker.postMessage({ name, full });
  return promise;
}
