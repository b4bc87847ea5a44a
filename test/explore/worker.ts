import { parentPort } from 'node:worker_threads';
import { runs } from './runs.ts';

// A thread that explores what it is told to, one after the other.
parentPort?.on('message', ({ name, full }: { name: string; full: boolean }) => {
  const run = runs.find(one => one.name === name);
  if (run === undefined) throw new Error(`nothing is called ${name}`);
  parentPort?.postMessage({ name, report: run.go(full) });
});
