import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Priority, Schedule } from '../../src/kube/schedule.ts';

const never = Number.POSITIVE_INFINITY;

/** Both clocks at so many milliseconds. */
function at(milliseconds: number) {
  return { monotonic: milliseconds, date: milliseconds };
}

function newSchedule() {
  return new Schedule(() => 0);
}

/** Takes all that is due, without ever ending one. */
function takeAll(schedule: Schedule, milliseconds: number): string[] {
  const keys: string[] = [];
  for (let key = schedule.take(at(milliseconds)); key !== undefined; key = schedule.take(at(milliseconds))) {
    keys.push(key);
  }
  return keys;
}

/** Lets a key run and fail, and returns the back-off. */
function failOnce(schedule: Schedule, key: string, now: number): number {
  expect(schedule.take(at(now))).toBe(key);
  return schedule.failed(key, now);
}

describe('wishes', () => {
  test('hands a key out once, however often it was added', () => {
    const schedule = newSchedule();
    for (let i = 0; i < 3; i++) schedule.add('a', 0);
    expect(takeAll(schedule, 0)).toEqual(['a']);
    schedule.done('a');
    expect(takeAll(schedule, 10)).toEqual([]);
  });

  test('lets the earlier time win, whichever came first', () => {
    const schedule = newSchedule();
    schedule.add('a', 10);
    schedule.add('a', 20);
    schedule.add('b', 20);
    schedule.add('b', 10);
    expect(schedule.wait(at(0))).toBe(10);
    expect(takeAll(schedule, 9)).toEqual([]);
    expect(takeAll(schedule, 10)).toEqual(['a', 'b']);
  });

  test('takes equal times in the order in which they came', () => {
    const schedule = newSchedule();
    const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    for (const key of keys) schedule.add(key, 5);
    expect(takeAll(schedule, 5)).toEqual(keys);
  });

  test('runs a key again that was added while it ran, once it is done', () => {
    const schedule = newSchedule();
    schedule.add('a', 0);
    expect(schedule.take(at(0))).toBe('a');
    schedule.add('a', 1);
    expect(schedule.take(at(5))).toBeUndefined();
    schedule.done('a');
    expect(schedule.take(at(5))).toBe('a');
  });

  test('takes first before normal among the due, and only among them', () => {
    const schedule = newSchedule();
    schedule.add('normal', 0);
    schedule.add('first', 3, 'first');
    schedule.add('later', 9, 'first');
    expect(takeAll(schedule, 5)).toEqual(['first', 'normal']);
  });

  test('keeps the higher priority of a key until it has run', () => {
    const schedule = newSchedule();
    schedule.add('other', 0);
    schedule.add('a', 1, 'first');
    schedule.add('a', 1, 'normal');
    expect(schedule.take(at(1))).toBe('a');
    schedule.add('a', 2);
    schedule.done('a');
    expect(takeAll(schedule, 2)).toEqual(['other', 'a']);
  });

  test('raises a key that waits already', () => {
    const schedule = newSchedule();
    schedule.add('other', 0);
    schedule.add('a', 1);
    schedule.add('a', 9, 'first');
    expect(takeAll(schedule, 1)).toEqual(['a', 'other']);
  });

  test('remembers nothing of a key that is done', () => {
    const schedule = newSchedule();
    for (let i = 0; i < 1000; i++) schedule.add(`key-${i}`, 0);
    for (const key of takeAll(schedule, 0)) schedule.done(key);
    expect(schedule.size).toBe(0);
    expect(schedule.wait(at(0))).toBe(never);
  });

  test('refuses the end of a key that does not run', () => {
    expect(() => newSchedule().done('a')).toThrow('a does not run');
  });
});

describe('dates', () => {
  test('stand on the wall clock and delays on the monotonic one', () => {
    const schedule = newSchedule();
    schedule.addDated('dated', 1_000);
    schedule.add('delayed', 1_000);
    expect(schedule.take({ monotonic: 0, date: 999 })).toBeUndefined();
    expect(schedule.take({ monotonic: 0, date: 1_000 })).toBe('dated');
    expect(schedule.take({ monotonic: 999, date: 5_000 })).toBeUndefined();
    expect(schedule.take({ monotonic: 1_000, date: 0 })).toBe('delayed');
  });

  test('are forgotten when the key runs for another reason: the run says the new one', () => {
    const schedule = newSchedule();
    schedule.addDated('a', 1_000);
    schedule.add('a', 0);
    expect(schedule.take(at(0))).toBe('a');
    schedule.addDated('a', 9_000);
    schedule.done('a');
    expect(takeAll(schedule, 8_999)).toEqual([]);
    expect(takeAll(schedule, 9_000)).toEqual(['a']);
  });

  test('count as due when they have come', () => {
    const schedule = newSchedule();
    schedule.addDated('a', 5);
    schedule.add('b', 5);
    expect(schedule.due(at(4))).toBe(0);
    expect(schedule.due(at(5))).toBe(2);
    schedule.take(at(5));
    expect(schedule.due(at(5))).toBe(1);
  });
});

describe('failures', () => {
  test('back off from 50 ms, doubling, to five minutes', () => {
    const schedule = newSchedule();
    schedule.add('a', 0);
    const waits: number[] = [];
    for (let now = 0; waits.length < 16; now += waits.at(-1) ?? 0) waits.push(failOnce(schedule, 'a', now));
    expect(waits.slice(0, 4)).toEqual([50, 100, 200, 400]);
    expect(waits.slice(12)).toEqual([204_800, 300_000, 300_000, 300_000]);
  });

  test('are spread by the jitter, never beyond the longest', () => {
    const schedule = new Schedule(() => 0.8);
    schedule.add('a', 0);
    expect(failOnce(schedule, 'a', 0)).toBe(40);
    expect(takeAll(schedule, 39)).toEqual([]);
    expect(takeAll(schedule, 40)).toEqual(['a']);
  });

  test('are forgotten on success', () => {
    const schedule = newSchedule();
    schedule.add('a', 0);
    failOnce(schedule, 'a', 0);
    expect(failOnce(schedule, 'a', 50)).toBe(100);
    expect(schedule.take(at(150))).toBe('a');
    schedule.add('a', 150);
    schedule.done('a');
    expect(failOnce(schedule, 'a', 150)).toBe(50);
  });

  test('do not hold back a fresh wish, and are not forgotten by it', () => {
    const schedule = newSchedule();
    schedule.add('a', 0);
    failOnce(schedule, 'a', 0);
    schedule.add('a', 1);
    expect(failOnce(schedule, 'a', 1)).toBe(100);
    expect(takeAll(schedule, 100)).toEqual([]);
  });

  test('keep what was wished during the run', () => {
    const schedule = newSchedule();
    schedule.add('a', 0);
    schedule.take(at(0));
    schedule.add('a', 10);
    schedule.failed('a', 9);
    expect(takeAll(schedule, 10)).toEqual(['a']);
  });

  test('keep the priority for the retry', () => {
    const schedule = newSchedule();
    schedule.add('a', 0, 'first');
    failOnce(schedule, 'a', 0);
    schedule.add('other', 10);
    expect(takeAll(schedule, 50)).toEqual(['a', 'other']);
  });

  test('are neither counted nor forgotten when a time was asked for', () => {
    const schedule = newSchedule();
    schedule.add('a', 0);
    failOnce(schedule, 'a', 0);
    expect(schedule.take(at(50))).toBe('a');
    schedule.postponed('a', 5_000);
    expect(takeAll(schedule, 4_999)).toEqual([]);
    expect(failOnce(schedule, 'a', 5_000)).toBe(100);
  });
});

/** The same, as plain as it can be: one list, searched from end to end. */
class Model {
  readonly keys = new Map<
    string,
    { at: number; date: number; priority: Priority; running: boolean; failures: number }
  >();
  #ran = new Map<string, Priority>();

  wish(key: string, time: number, date: number, priority: Priority) {
    const old = this.keys.get(key) ?? { at: never, date: never, priority: 'normal', running: false, failures: 0 };
    this.keys.set(key, {
      ...old,
      at: Math.min(old.at, time),
      date: Math.min(old.date, date),
      priority: old.priority === 'first' ? 'first' : priority,
    });
  }

  /** The keys of which any may come next. */
  next(now: { monotonic: number; date: number }): string[] {
    for (const [key, of] of this.keys) {
      if (!of.running && of.date <= now.date) {
        this.keys.set(key, { ...of, at: Math.min(of.at, now.monotonic), date: never });
      }
    }
    const due = [...this.keys].filter(([, of]) => !of.running && of.at <= now.monotonic);
    const first = due.filter(([, of]) => of.priority === 'first');
    const best = first.length > 0 ? first : due;
    const earliest = Math.min(...best.map(([, of]) => of.at));
    return best.filter(([, of]) => of.at === earliest).map(([key]) => key);
  }

  start(key: string) {
    const failures = this.keys.get(key)?.failures ?? 0;
    this.#ran.set(key, this.keys.get(key)?.priority ?? 'normal');
    this.keys.set(key, { at: never, date: never, priority: 'normal', running: true, failures });
  }

  /** Ends a run; the failures from now on, and the time of the retry. */
  end(key: string, failures: number, time: number) {
    const old = this.keys.get(key);
    if (old === undefined) return;
    this.keys.set(key, { ...old, running: false, failures });
    if (time < never) this.wish(key, time, never, this.#ran.get(key) ?? 'normal');
    const now = this.keys.get(key);
    if (now?.at === never && now.date === never) this.keys.delete(key);
  }
}

type Step =
  | { do: 'delay'; key: string; in: number; priority: Priority }
  | { do: 'date'; key: string; in: number; priority: Priority }
  | { do: 'take' }
  | { do: 'end'; as: 'done' | 'failed' | 'postponed'; which: number; in: number }
  | { do: 'pass'; milliseconds: number; jump: number };

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
const priority = fc.constantFrom<Priority>('first', 'normal');
const soon = fc.integer({ min: -20, max: 300 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('delay'), key, in: soon, priority }),
  fc.record({ do: fc.constant('date'), key, in: soon, priority }),
  fc.record({ do: fc.constant('take') }),
  fc.record({
    do: fc.constant('end'),
    as: fc.constantFrom('done', 'failed', 'postponed'),
    which: fc.nat(10),
    in: soon,
  }),
  fc.record({ do: fc.constant('pass'), milliseconds: fc.nat(150), jump: fc.integer({ min: -100, max: 100 }) }),
);

test('acts as the plain model does, in every sequence of steps', () => {
  const run = (steps: Step[]) => {
    const schedule = newSchedule();
    const model = new Model();
    const running: string[] = [];
    const now = { monotonic: 1_000, date: 50_000 };
    for (const each of steps) {
      if (each.do === 'delay') {
        schedule.add(each.key, now.monotonic + each.in, each.priority);
        model.wish(each.key, now.monotonic + each.in, never, each.priority);
      } else if (each.do === 'date') {
        schedule.addDated(each.key, now.date + each.in, each.priority);
        model.wish(each.key, never, now.date + each.in, each.priority);
      } else if (each.do === 'pass') {
        now.monotonic += each.milliseconds;
        now.date += each.milliseconds + each.jump;
      } else if (each.do === 'take') {
        const expected = model.next(now);
        const taken = schedule.take(now);
        if (taken === undefined) expect(expected).toEqual([]);
        else {
          expect(expected).toContain(taken);
          model.start(taken);
          running.push(taken);
        }
      } else if (running.length > 0) {
        const [ended = ''] = running.splice(each.which % running.length, 1);
        const failures = model.keys.get(ended)?.failures ?? 0;
        if (each.as === 'done') schedule.done(ended);
        else if (each.as === 'failed') expect(schedule.failed(ended, now.monotonic)).toBe(50 * 2 ** failures);
        else schedule.postponed(ended, now.monotonic + each.in);
        const retryAt = { done: never, failed: now.monotonic + 50 * 2 ** failures, postponed: now.monotonic + each.in };
        model.end(ended, { done: 0, failed: failures + 1, postponed: failures }[each.as], retryAt[each.as]);
      }
      expect(schedule.size).toBe(model.keys.size);
      const waiting = [...model.keys.values()].filter(of => !of.running);
      const waits = waiting.map(of => Math.max(0, Math.min(of.at - now.monotonic, of.date - now.date)));
      expect(schedule.wait(now)).toBe(Math.min(never, ...waits));
      expect(schedule.due(now)).toBe(waits.filter(wait => wait === 0).length);
    }
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 120, size: 'max' }), run), { numRuns: 500 });
});

describe('while somebody waits for a first key', () => {
  const limited = (most: number) => {
    const schedule = new Schedule(() => 0, { alone: 4, besideFirst: most });
    for (let i = 0; i < 5; i++) schedule.add(`normal-${i}`, 0);
    return schedule;
  };

  test('only so many normal ones run beside it, and all others are first', () => {
    const schedule = limited(2);
    schedule.add('first-0', 0, 'first');
    schedule.add('first-1', 0, 'first');
    expect(takeAll(schedule, 0)).toEqual(['first-0', 'first-1', 'normal-0', 'normal-1']);
    expect(schedule.wait(at(0))).toBe(never);
    schedule.done('normal-0');
    expect(takeAll(schedule, 0)).toEqual(['normal-2']);
  });

  test('those that run already go on, and the rest goes on with the end of the first', () => {
    const schedule = limited(1);
    expect([schedule.take(at(0)), schedule.take(at(0))]).toEqual(['normal-0', 'normal-1']);
    schedule.add('first', 0, 'first');
    expect(takeAll(schedule, 0)).toEqual(['first']);
    schedule.done('normal-0');
    expect(takeAll(schedule, 0)).toEqual([]);
    schedule.done('first');
    expect(schedule.wait(at(0))).toBe(0);
    expect(takeAll(schedule, 0)).toEqual(['normal-2', 'normal-3', 'normal-4']);
  });

  test('some workers are free for it', () => {
    expect(takeAll(limited(1), 0)).toEqual(['normal-0', 'normal-1', 'normal-2', 'normal-3']);
  });
});
