/** States per page of the log: pages are never copied when the set grows. */
const pageSize = 1 << 15;

/**
 * A set of states, each a fixed number of 32-bit words, numbered in the order in which they were added. One typed array of
 * slots with open addressing; a million states of sixteen words take about 70 MiB.
 */
export class WordSet {
  readonly width: number;
  size = 0;
  readonly #pages: Int32Array[] = [];
  #slots = new Int32Array(1 << 16);

  constructor(width: number) {
    this.width = width;
  }

  /** The number of this state; what was not there is added. `size` tells which it was. */
  add(words: Int32Array): number {
    if (this.size * 2 >= this.#slots.length) this.#grow();
    const mask = this.#slots.length - 1;
    let slot = hashOf(words, this.width) & mask;
    for (;;) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) break;
      if (this.#equals(found - 1, words)) return found - 1;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.size + 1;
    this.#page(this.size).set(words, (this.size % pageSize) * this.width);
    return this.size++;
  }

  has(words: Int32Array): boolean {
    return this.find(words) >= 0;
  }

  /** The number of this state, or -1. */
  find(words: Int32Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashOf(words, this.width) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] ?? 0;
      if (found === 0) return -1;
      if (this.#equals(found - 1, words)) return found - 1;
    }
  }

  /** Copies the state of this number. */
  read(index: number, into: Int32Array): void {
    const page = this.#page(index);
    const from = (index % pageSize) * this.width;
    for (let i = 0; i < this.width; i++) into[i] = page[from + i] ?? 0;
  }

  #equals(index: number, words: Int32Array): boolean {
    const page = this.#page(index);
    const from = (index % pageSize) * this.width;
    for (let i = 0; i < this.width; i++) if (page[from + i] !== words[i]) return false;
    return true;
  }

  #page(index: number): Int32Array {
    const number = Math.floor(index / pageSize);
    const page = this.#pages[number] ?? new Int32Array(pageSize * this.width);
    this.#pages[number] = page;
    return page;
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 4);
    const mask = slots.length - 1;
    const words = new Int32Array(this.width);
    for (let index = 0; index < this.size; index++) {
      this.read(index, words);
      let slot = hashOf(words, this.width) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#slots = slots;
  }
}

function hashOf(words: Int32Array, width: number): number {
  let hash = 0x9e3779b9;
  for (let i = 0; i < width; i++) {
    hash = Math.imul(hash ^ (words[i] ?? 0), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}
