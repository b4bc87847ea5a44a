import { timestamp } from '../api/conditions.ts';
import { type RobotAccount, robotAccountKind } from '../api/robot-account.ts';
import { delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { isRefusal, KubeError } from '../kube/errors.ts';
import { Kept } from './kept.ts';
import type { World } from './world.ts';

/** A robot's `lastUsed` is written so seldom: it says whether a robot is still needed, and that is a matter of weeks. */
const writtenEveryMilliseconds = 24 * 3600 * 1000;
/** Between two rounds; the first use of a robot shows after so long. */
const roundMilliseconds = 10_000;
/** So many writes at most in one round: no more than two a second beside what else there is to do. */
const mostInARound = 20;

/**
 * Keeps in the status when robots were last given access. It is noted where tokens are given out, which costs nothing there,
 * and written later, by whichever replica gave the token. Notes that a crash takes are made again by the next use.
 */
export class LastUsed {
  readonly #world: Pick<World, 'caches' | 'clock'>;
  readonly #log: Log;
  readonly #robots: Kept<RobotAccount>;
  /** By the UID of the robot, the latest use that waits to be written. */
  readonly #notes = new Map<string, Date>();

  constructor(world: Pick<World, 'client' | 'caches' | 'clock'>, log: Log) {
    this.#world = world;
    this.#log = log;
    this.#robots = new Kept(world.client, robotAccountKind, world.caches.robots);
  }

  /** Takes a note; a use within a day of the one that is written is none. */
  note({ uid }: { uid: string }, at: Date): void {
    const robot = this.#world.caches.robots.byUID(uid);
    if (robot !== undefined && isNews(robot, at)) this.#notes.set(uid, at);
  }

  /** Writes notes until the signal aborts; what fails waits for the next round. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.round(signal);
      await delay(roundMilliseconds, signal);
    }
  }

  /** Tries as many notes as a round may. */
  async round(signal: AbortSignal): Promise<void> {
    for (const [uid, at] of [...this.#notes].slice(0, mostInARound)) {
      if (signal.aborted) return;
      try {
        await this.#write(uid, at, signal);
        if (this.#notes.get(uid) === at) this.#notes.delete(uid);
      } catch (err) {
        if (signal.aborted) return;
        this.#log.warn({ err }, 'the last use of a robot was not written; it is tried again');
        this.#putLast(uid, this.#notes.get(uid) ?? at);
        // What is refused for this robot says nothing of the others.
        if (!(err instanceof KubeError && isRefusal(err))) return;
      }
    }
  }

  /** Nobody waits behind one that fails again and again. */
  #putLast(uid: string, at: Date): void {
    this.#notes.delete(uid);
    this.#notes.set(uid, at);
  }

  /** Another writer may have been quicker: then it is decided anew from what that one has written. */
  async #write(uid: string, at: Date, signal: AbortSignal): Promise<void> {
    for (let attempts = 0; attempts < 3; attempts++) {
      const robot = this.#world.caches.robots.byUID(uid);
      if (robot === undefined || !isNews(robot, at)) return;
      if (await this.#robots.patchStatus(robot, { lastUsed: timestamp(at) }, signal)) return;
    }
  }
}

function isNews({ status }: RobotAccount, at: Date): boolean {
  const written = status?.lastUsed;
  return written === undefined || at.getTime() - Date.parse(written) >= writtenEveryMilliseconds;
}
