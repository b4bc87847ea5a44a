/** Finds objects by what a function says of them. Holds one entry per value, and a Set only where a value has several objects. */
export class Index<T extends object> {
  readonly #valuesOf: (object: T) => readonly string[];
  readonly #found = new Map<string, T | Set<T>>();

  constructor(valuesOf: (object: T) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  of(value: string): readonly T[] {
    const found = this.#found.get(value);
    if (found === undefined) return [];
    return found instanceof Set ? [...found] : [found];
  }

  add(object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#found.get(value);
      if (found === undefined) this.#found.set(value, object);
      else if (found instanceof Set) found.add(object);
      else if (found !== object) this.#found.set(value, new Set([found, object]));
    }
  }

  delete(object: T): void {
    for (const value of this.#valuesOf(object)) {
      const found = this.#found.get(value);
      if (found === object) this.#found.delete(value);
      if (!(found instanceof Set)) continue;
      found.delete(object);
      if (found.size === 0) this.#found.delete(value);
    }
  }
}
