import { beforeAll, expect, test } from 'vitest';
import { exploreAll, type Result } from './pool.ts';
import { type Group, runs } from './runs.ts';
import { failures, tableOf } from './table.ts';

// All interleavings of small worlds, breadth first: the real decisions of src/decide about tokens and robots, and the protocol of
// section 3 of the design with backends that are not built yet. Every state is asked the invariants, and where it comes to rest. One worker a core.

let results: readonly Result[] = [];

beforeAll(async () => {
  results = await exploreAll(
    runs.filter(({ onlyFull }) => onlyFull !== true),
    { threads: 2, full: false },
  );
  process.stdout.write(`${tableOf(results)}\n`);
}, 3_600_000); // two minutes where nothing else runs

const of = (group: Group) =>
  failures(
    results.filter(({ run }) => run.group === group),
    { full: false },
  );

test('what src/decide does with tokens keeps the invariants, and settles, and then writes nothing', () => {
  expect(of('token')).toEqual([]);
});

test('so does what it does with robots, and nobody gets in who may not', () => {
  expect(of('robot')).toEqual([]);
});

test('the protocol with a backend holds, in not fewer states than the model that it was checked by', () => {
  expect(of('yardstick')).toEqual([]);
});

test('it holds where bots are disabled and deleted, credentials expire, issuers go and backends do not answer', () => {
  expect(of('more')).toEqual([]);
});

test('every known wrong way is found', () => {
  expect(of('wrong way')).toEqual([]);
});
