import { inspect } from 'node:util';

const redacted = '[redacted]';

/**
 * A value that must never be shown. Printing, logging, serializing or inspecting it gives `[redacted]`; only
 * `reveal()`, called in the very line that sends or stores it, gives the text.
 */
export class SecretValue {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}
