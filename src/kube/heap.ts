/** An item's place in a heap: what `push` returns and `remove` takes. */
export interface Place<T> {
  readonly item: T;
  readonly time: number;
  /** Equal times come out in the order in which they went in. */
  readonly order: number;
  index: number;
}

/** A binary heap of items with a time, the earliest on top. Adding and removing, also from the middle, cost O(log n). */
export class Heap<T> {
  readonly #places: Place<T>[] = [];
  #order = 0;

  /** The earliest item and its time. */
  get top(): Place<T> | undefined {
    return this.#places[0];
  }

  push(item: T, time: number): Place<T> {
    const place = { item, time, order: this.#order++, index: this.#places.length };
    this.#places.push(place);
    this.#up(place);
    return place;
  }

  /** Takes out what `push` of this heap has put in, once. */
  remove(place: Place<T>): void {
    const last = this.#places.pop();
    if (last === undefined || last === place) return;
    this.#put(last, place.index);
    this.#up(last);
    this.#down(last);
  }

  #up(place: Place<T>): void {
    while (place.index > 0) {
      const parent = this.#places[(place.index - 1) >> 1];
      if (parent === undefined || !isBefore(place, parent)) return;
      this.#swap(place, parent);
    }
  }

  #down(place: Place<T>): void {
    for (;;) {
      const left = this.#places[2 * place.index + 1];
      const right = this.#places[2 * place.index + 2];
      const child = left && right && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, place)) return;
      this.#swap(place, child);
    }
  }

  #swap(a: Place<T>, b: Place<T>): void {
    const index = a.index;
    this.#put(a, b.index);
    this.#put(b, index);
  }

  #put(place: Place<T>, index: number): void {
    this.#places[index] = place;
    place.index = index;
  }
}

function isBefore<T>(a: Place<T>, b: Place<T>): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
