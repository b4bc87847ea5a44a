import { randomBytes } from 'node:crypto';
import { type Clock, delay } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Counter, Metrics } from '../base/metrics.ts';
import { aborted } from './aborted.ts';
import type { Client } from './client.ts';
import { events } from './core-kinds.ts';
import { isOutcomeUnknown, KubeError } from './errors.ts';
import { type Moment, Schedule } from './schedule.ts';
import { TokenBucket } from './token-bucket.ts';

/** The object that an event is about. */
export interface Regarding {
  apiVersion: string;
  kind: string;
  /** Left out for what is cluster-scoped: its events stand in `default`. */
  namespace?: string | undefined;
  name: string;
  uid: string;
}

export interface News {
  type: 'Normal' | 'Warning';
  /** The reason of the condition that says the same. */
  reason: string;
  /** What botmint did, or could not do: a verb. */
  action: string;
  /** For people; cut after 1 kB. */
  note: string;
}

export interface EventRecorderOptions {
  client: Pick<Client, 'create' | 'patch'>;
  identity: string;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

/**
 * Tells people what happened, as Kubernetes events. Events are a courtesy: recording never waits and never fails, and
 * writing them never competes with the work (two at a time, 50 a second after a burst of 200). The same news within ten
 * minutes becomes a count on the first event, written at most once a minute.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #dropped: Counter<'reason'>;
  readonly #schedule = new Schedule(() => 0);
  readonly #bucket = new TokenBucket({ perSecond: 50, burst: 200 });
  /** By what makes news the same; the least recently told first. */
  readonly #stories = new Map<string, Story>();
  readonly #end = new AbortController();
  #untold = 0;
  #writing = 0;
  #state: 'new' | 'running' | 'draining' = 'new';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    const help = 'Events that were not written: QueueFull, or WriteFailed.';
    this.#dropped = options.metrics.counter('botmint_events_dropped_total', help, ['reason']);
  }

  /** May be called before `run`. */
  record(regarding: Regarding, news: News): void {
    const note = shorten(news.note);
    const key = JSON.stringify([regarding.uid, news.type, news.reason, note]);
    const now = this.#options.clock.monotonic();
    const known = this.#stories.get(key);
    if (known && (!known.written || now - known.seenAt < seriesMilliseconds)) this.#repeat(key, known, now);
    else if (this.#untold >= queueLimit) this.#dropped.inc({ reason: 'QueueFull' });
    else this.#begin(key, regarding, { ...news, note }, now);
    this.#step();
  }

  /** Writes until the signal aborts, and then for at most 2 s what is already recorded. */
  async run(signal: AbortSignal): Promise<void> {
    this.#state = 'running';
    this.#step();
    await aborted(signal);
    this.#state = 'draining';
    const patience = setTimeout(() => this.#end.abort(), drainMilliseconds);
    this.#step();
    await aborted(this.#end.signal);
    clearTimeout(patience);
    clearTimeout(this.#timer);
  }

  #begin(key: string, regarding: Regarding, news: News, now: number): void {
    const event = eventOf(regarding, news, this.#options);
    this.#stories.delete(key); // of an older series: it goes to the end of the order
    this.#stories.set(key, { event, count: 1, seenAt: now, writtenAt: now, written: undefined });
    this.#untold++;
    this.#schedule.add(key, now, 'first');
  }

  #repeat(key: string, story: Story, now: number): void {
    story.count++;
    story.seenAt = now;
    this.#schedule.add(key, story.writtenAt + repeatMilliseconds);
  }

  #step = (): void => {
    clearTimeout(this.#timer);
    if (this.#state === 'new' || this.#end.signal.aborted) return;
    const now = this.#now();
    while (this.#writing < writers && this.#bucket.wait(now.monotonic) === 0) {
      const key = this.#schedule.take(now);
      if (key === undefined) break;
      this.#bucket.take(now.monotonic);
      void this.#deliver(key);
    }
    const wait = Math.max(this.#schedule.wait(now), this.#bucket.wait(now.monotonic));
    if (this.#state === 'draining' && this.#writing === 0 && this.#schedule.wait(now) > 0) this.#end.abort();
    else if (this.#writing < writers && wait < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(this.#step, Math.ceil(wait));
    }
  };

  async #deliver(key: string): Promise<void> {
    this.#writing++;
    const story = this.#stories.get(key);
    if (story !== undefined) await this.#tell(key, story);
    this.#writing--;
    this.#schedule.done(key);
    this.#forget();
    this.#step();
  }

  async #tell(key: string, story: Story): Promise<void> {
    const isFirst = story.written === undefined;
    try {
      await this.#write(story).catch(async (error: unknown) => {
        if (!isWorthRepeating(error)) throw error;
        await delay(retryMilliseconds, this.#end.signal);
        await this.#write(story);
      });
    } catch (error) {
      // The next news of this kind begins a new event: this one may have expired.
      if (this.#stories.get(key) === story) this.#stories.delete(key);
      this.#dropped.inc({ reason: 'WriteFailed' });
      this.#options.log.debug({ err: error }, 'event not written');
    }
    if (isFirst) this.#untold--;
  }

  async #write(story: Story): Promise<void> {
    const { client, clock } = this.#options;
    const { event, count, written } = story;
    const options = { signal: this.#end.signal, deadlineMilliseconds, metadataOnly: true };
    const series = { count, lastObservedTime: microTime(clock.now()) };
    const answer = written
      ? await client.patch(events, event.metadata, { series }, { ...options, resourceVersion: written.resourceVersion })
      : await client.create(events, count > 1 ? { ...event, series } : event, options);
    story.written = { resourceVersion: answer.metadata.resourceVersion };
    story.writtenAt = clock.monotonic();
  }

  /** What was told and is too old to be repeated, or too much to be remembered. */
  #forget(): void {
    const now = this.#options.clock.monotonic();
    for (const [key, { seenAt, written }] of this.#stories) {
      const isOld = now - seenAt >= seriesMilliseconds;
      if (written === undefined || (!isOld && this.#stories.size <= memoryLimit)) return;
      this.#stories.delete(key);
    }
  }

  #now(): Moment {
    const { clock } = this.#options;
    return { monotonic: clock.monotonic(), date: clock.now().getTime() };
  }
}

/** One piece of news and how often it came. */
interface Story {
  event: ReturnType<typeof eventOf>;
  count: number;
  seenAt: number;
  writtenAt: number;
  written: { resourceVersion: string } | undefined;
}

const reportingController = 'botmint';
const seriesMilliseconds = 10 * 60_000;
const repeatMilliseconds = 60_000;
const drainMilliseconds = 2_000;
const deadlineMilliseconds = 5_000;
/** Also slows the queue down while the server is away, so that little of it is lost. */
const retryMilliseconds = 1_000;
/** Few, so that events never take the place of the work's own calls. */
const writers = 2;
/** First events that wait; what repeats takes no further place. */
const queueLimit = 10_000;
/** News that may still be repeated; as many as client-go's recorder remembers. */
const memoryLimit = 4_096;
/** The API server's limit, in bytes. */
const noteLimit = 1_024;

function eventOf(regarding: Regarding, news: News, { clock, identity }: EventRecorderOptions) {
  const { apiVersion, kind, namespace, name, uid } = regarding;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${name.slice(0, 200)}.${randomBytes(8).toString('hex')}`,
      namespace: namespace ?? 'default',
    },
    eventTime: microTime(clock.now()),
    reportingController,
    reportingInstance: identity.slice(0, 128),
    regarding: { apiVersion, kind, ...(namespace !== undefined && { namespace }), name, uid },
    ...news,
  };
}

function shorten(note: string): string {
  if (Buffer.byteLength(note) <= noteLimit) return note;
  const cut = Buffer.from(note).subarray(0, noteLimit - 4); // room for the ellipsis; the last letter may be cut in two
  return `${cut.toString('utf8').replace(/\uFFFD$/, '')}…`;
}

function microTime(time: Date): string {
  return `${time.toISOString().slice(0, -1)}000Z`;
}

/** A refusal stays one (the namespace is going, the event has expired); a server in trouble may be out of it. */
function isWorthRepeating(error: unknown): boolean {
  return isOutcomeUnknown(error) || (error instanceof KubeError && error.status === 429);
}
