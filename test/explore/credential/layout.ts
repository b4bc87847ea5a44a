/** Where what stands in the words of a state: first what is outside, then each operator with its caches and its pass. */
export const at = {
  /** Seconds since the start. */
  time: 0,
  /** The credentials that were ever in the Secret and are still named anywhere, as one number. */
  published: 1,
  /** The first Secret that there was: a backup. */
  backup: 2,
  eventsLeft: 3,
  /** What users may still do: two bits for each kind of event. */
  kindsLeft: 4,
  refusalsLeft: 6,
  /** What stands beside the objects (the BotUser, or the Secret with an own secret): content and resourceVersion. */
  beside: 7,
  issuer: 9,
  /** Content, resourceVersion and UID. */
  secret: 11,
  /** A write that its sender has given up: kind, content, precondition, UID, and what a record says; then of which object. */
  late: 14,
  /** Content, resourceVersion, and the Secret in its record; four words for each object with a credential. */
  objects: 20,
} as const;

/** The same within an operator. */
export const cached = {
  beside: 0,
  issuer: 2,
  secret: 4,
  /** What was last read or written of the Secret's data: UID, resourceVersion, digest and keys. */
  reading: 7,
  /** What the pass that is running is about, and what it has found out. 0: it has found out nothing that is kept. */
  job: 10,
  /** 0: the Secret was not read live; 1: there was none; 2: it is in the next three words. */
  live: 11,
  unreadableAt: 15,
  /** Bits: what is beside the object was read live, the issuer was, a write was refused, a delete was. */
  found: 16,
  /** How many credentials were counted live, and one. */
  counted: 17,
  objects: 18,
} as const;

export const lateKind = { none: 0, object: 1, createSecret: 2, patchSecret: 3, deleteSecret: 4 } as const;
export const job = { none: 0, beside: 10, issuer: 11 } as const;

/** The positions of a state with so many objects and operators. */
export class Layout {
  readonly objects: number;
  readonly operators: number;
  readonly operatorWidth: number;
  readonly width: number;
  /** Positions of numbers that are compared with each other and with nothing else: they can be given anew. */
  readonly #objectVersions: readonly (readonly number[])[];
  readonly #plain: readonly (readonly number[])[];
  readonly #secretVersions: readonly number[];
  readonly #secretUIDs: readonly number[];
  /** The same numbers where they only point at one of those. */
  readonly #versionPointers: readonly number[];
  readonly #uidPointers: readonly number[];

  constructor(objects: number, operators: number) {
    this.objects = objects;
    this.operators = operators;
    this.operatorWidth = cached.objects + 4 * objects;
    this.width = at.objects + 4 * objects + operators * this.operatorWidth;
    const bases = Array.from({ length: operators }, (_, i) => this.operator(i));
    const slots = [at.objects, ...bases.map(base => base + cached.objects)];
    const each = Array.from({ length: objects }, (_, t) => slots.map(slot => slot + 4 * t));
    this.#objectVersions = each.map(group => group.map(slot => slot + 1));
    this.#plain = (['beside', 'issuer'] as const).map(kind => [
      at[kind] + 1,
      ...bases.map(base => base + cached[kind] + 1),
    ]);
    const secrets = [at.secret, ...bases.flatMap(base => [base + cached.secret, base + cached.live + 1])];
    this.#secretVersions = secrets.map(slot => slot + 1);
    this.#secretUIDs = secrets.map(slot => slot + 2);
    const readings = bases.map(base => base + cached.reading);
    const records = each.flat();
    this.#versionPointers = [
      ...readings.map(slot => slot + 1),
      ...bases.map(base => base + cached.unreadableAt),
      ...records.map(slot => slot + 3),
      at.late + 4,
    ];
    this.#uidPointers = [...readings, ...records.map(slot => slot + 2), at.late + 3];
  }

  operator(i: number): number {
    return at.objects + 4 * this.objects + i * this.operatorWidth;
  }

  object(t: number): number {
    return at.objects + 4 * t;
  }

  /** Gives versions and UIDs the smallest numbers that keep their order, and puts equal operators in order. */
  canonical(words: Int32Array): void {
    this.#objectVersions.forEach((positions, t) => {
      const late = words[at.late] === lateKind.object && words[at.late + 5] === t ? [at.late + 2] : [];
      renumber(words, [...positions, ...late], []);
    });
    for (const positions of this.#plain) renumber(words, positions, []);
    const late = words[at.late] ?? 0;
    const patches = late === lateKind.patchSecret || late === lateKind.deleteSecret;
    renumber(words, patches ? [...this.#secretVersions, at.late + 2] : this.#secretVersions, this.#versionPointers);
    renumber(words, this.#secretUIDs, this.#uidPointers);
    for (let i = 0; i < this.operators; i++) this.#forgetReading(words, this.operator(i) + cached.reading);
    if (this.operators === 2) this.#order(words, this.operator(0), this.operator(1));
  }

  /** What was read of a Secret that is nowhere any more. */
  #forgetReading(words: Int32Array, from: number): void {
    if (words[from] === 0) words.fill(0, from, from + 3);
  }

  #order(words: Int32Array, first: number, second: number): void {
    const width = this.operatorWidth;
    let i = 0;
    while (i < width && words[first + i] === words[second + i]) i++;
    if (i === width || (words[first + i] ?? 0) < (words[second + i] ?? 0)) return;
    const kept = words.slice(first, second);
    words.copyWithin(first, second, second + width);
    words.set(kept, second);
  }
}

const numbers = new Int32Array(64);

/** `positions` get the ranks of their numbers, `pointers` too, and 0 where they point at nothing. 0 and -1 stay. */
function renumber(words: Int32Array, positions: readonly number[], pointers: readonly number[]): void {
  let count = 0;
  for (const position of positions) {
    const number = words[position] ?? 0;
    if (number <= 0) continue;
    let i = count;
    while (i > 0 && (numbers[i - 1] ?? 0) > number) i--;
    if (i > 0 && numbers[i - 1] === number) continue;
    numbers.copyWithin(i + 1, i, count);
    numbers[i] = number;
    count++;
  }
  for (const position of positions) words[position] = rankOf(words[position] ?? 0, count);
  for (const position of pointers) words[position] = rankOf(words[position] ?? 0, count);
}

function rankOf(number: number, count: number): number {
  if (number <= 0) return number;
  for (let i = 0; i < count; i++) if (numbers[i] === number) return i + 1;
  return 0;
}
