import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap, type Place } from '../../src/kube/heap.ts';

test('gives what a sorted list would give, also after removals from the middle', () => {
  const steps = fc.array(
    fc.record({ time: fc.nat(1000), remove: fc.integer({ min: 1, max: 4 }).map(n => n === 1), which: fc.nat() }),
    { maxLength: 200, size: 'max' },
  );
  const run = (all: { time: number; remove: boolean; which: number }[]) => {
    const heap = new Heap<number>();
    const list: Place<number>[] = [];
    all.forEach(({ time, remove, which }, item) => {
      if (!remove) list.push(heap.push(item, time));
      else for (const place of list.splice(which % (list.length + 1), 1)) heap.remove(place);
    });
    const sorted = list.toSorted((a, b) => a.time - b.time || a.item - b.item);
    for (const place of sorted) {
      expect(heap.top).toBe(place);
      heap.remove(place);
    }
    expect(heap.top).toBeUndefined();
  };
  fc.assert(fc.property(steps, run), { numRuns: 300 });
});
