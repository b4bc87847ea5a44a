import { Heap } from '../../src/kube/heap.ts';
import { Election, type Timings, type Write } from '../../src/kube/lease.ts';
import type { LeaseView } from '../../src/kube/sightings.ts';

/** A small world with one clock: an API server that holds Leases, replicas, and a network that delays and loses. */
export class World {
  now = 0;
  readonly leases = new Map<string, LeaseView>();
  readonly replicas: Replica[] = [];
  readonly random: () => number;
  /** No faults from now on. */
  isCalm = false;
  writes = 0;
  #revision = 100;
  readonly #events = new Heap<() => void>();

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  after(milliseconds: number, happen: () => void): void {
    this.#events.push(happen, this.now + milliseconds);
  }

  /** Lets time pass, one event after the other; `check` is called after each. */
  run(until: number, check: () => void): void {
    for (let next = this.#events.top; next !== undefined && next.time < until; next = this.#events.top) {
      this.#events.remove(next);
      this.now = Math.max(this.now, next.time);
      next.item();
      check();
    }
    this.now = until;
    check();
  }

  join(identity: string, timings: Timings, count: number): Replica {
    const replica = new Replica(this, identity, timings, count);
    this.replicas.push(replica);
    replica.start();
    return replica;
  }

  owners(shard: number): string[] {
    return this.replicas.filter(each => each.owns(shard)).map(each => each.identity);
  }

  list(): { leases: LeaseView[]; resourceVersion: string } {
    return { leases: [...this.leases.values()], resourceVersion: `${this.#revision}` };
  }

  /** What the API server does with a write: undefined is a refusal. */
  carryOut(write: Write, holder: string, leaseSeconds: number): { lease: LeaseView | undefined } | undefined {
    const there = this.leases.get(write.name);
    if (write.do === 'create' ? there !== undefined : there?.resourceVersion !== write.lease.resourceVersion) {
      return undefined;
    }
    this.writes++;
    const resourceVersion = `${++this.#revision}`;
    if (write.do === 'remove') {
      this.leases.delete(write.name);
      return { lease: undefined };
    }
    const uid = there?.uid ?? `uid-${resourceVersion}`;
    const lease = { name: write.name, uid, resourceVersion, holder: write.do === 'clear' ? '' : holder, leaseSeconds };
    this.leases.set(write.name, lease);
    return { lease };
  }

  chance(probability: number): boolean {
    return !this.isCalm && this.random() < probability;
  }

  /** Mostly quick, sometimes seconds. */
  latency(): number {
    return this.chance(0.05) ? this.random() * 6_000 : 1 + this.random() * 30;
  }
}

/** An Election and the shell around it, as plain as it can be. */
export class Replica {
  readonly #world: World;
  readonly identity: string;
  readonly election: Election;
  readonly #timings: Timings;
  /** Dead, or frozen until then: what arrives waits. */
  #frozenUntil = 0;
  #isDead = false;
  #isCutOff = false;
  #timer = 0;
  hasLeft = false;

  constructor(world: World, identity: string, timings: Timings, count: number) {
    this.#world = world;
    this.identity = identity;
    this.#timings = timings;
    this.election = new Election({ identity, count, timings });
  }

  start(): void {
    this.#list();
    this.#step();
  }

  owns(shard: number): boolean {
    return !this.#isDead && this.election.owns(shard, this.#world.now);
  }

  get isAlive(): boolean {
    return !this.#isDead;
  }

  crash(): void {
    this.#isDead = true;
  }

  freeze(milliseconds: number): void {
    this.#frozenUntil = this.#world.now + milliseconds;
  }

  cutOff(milliseconds: number): void {
    this.#isCutOff = true;
    this.#world.after(milliseconds, () => {
      this.#isCutOff = false;
    });
  }

  leave(): void {
    this.hasLeft = true;
    this.#here(() => {
      this.election.leave();
      this.#step();
    });
  }

  /** Runs in this process: not when it is dead, later when it is frozen. */
  #here(run: () => void): void {
    const wait = this.#frozenUntil - this.#world.now;
    if (this.#isDead) return;
    if (wait > 0) this.#world.after(wait, () => this.#here(run));
    else run();
  }

  #later(milliseconds: number, run: () => void): void {
    this.#world.after(milliseconds, () => this.#here(run));
  }

  #list(): void {
    const isLost = this.#isCutOff || this.#world.chance(0.05);
    if (!isLost) {
      this.#world.after(this.#world.latency(), () => {
        const { leases, resourceVersion } = this.#world.list();
        this.#later(this.#world.latency(), () => {
          this.election.listed(leases, resourceVersion, this.#world.now);
          this.#step();
        });
      });
    }
    this.#later(this.#timings.retrySeconds * 1000, () => this.#list());
  }

  #step(): void {
    for (const write of this.election.plan(this.#world.now)) this.#send(write);
    const wait = this.election.wait(this.#world.now);
    const timer = ++this.#timer; // an older one is thereby off
    const ring = () => {
      if (timer === this.#timer) this.#step();
    };
    if (wait < Number.POSITIVE_INFINITY) this.#later(Math.max(1, wait), ring);
  }

  #send(write: Write): void {
    const sentAt = this.#world.now;
    const timeout = (this.#timings.renewDeadlineSeconds * 1000) / 2;
    let isOver = false;
    const fail = () => {
      if (isOver) return;
      isOver = true;
      this.election.failed(write, this.#world.now);
      this.#step();
    };
    this.#later(timeout, fail);
    if (this.#isCutOff || this.#world.chance(0.04)) return;
    // Sometimes a request lies somewhere for a minute and lands then.
    const onItsWay = this.#world.chance(0.04) ? this.#world.random() * 60_000 : this.#world.latency();
    this.#world.after(onItsWay, () => {
      const answer = this.#world.carryOut(write, this.identity, this.#timings.leaseSeconds);
      if (this.#isCutOff || this.#world.chance(0.04)) return;
      this.#later(this.#world.latency(), () => {
        if (isOver) return;
        if (answer === undefined) return fail();
        isOver = true;
        this.election.answered(write, sentAt, answer.lease, this.#world.now);
        this.#step();
      });
    });
  }
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
