const newline = 10;

/**
 * Cuts a stream of bytes into lines at byte 10 and nowhere else: a character may be split over pieces, and JSON text may
 * hold other line separators. What stands after the last newline is no line.
 */
export class Lines {
  #begun: Uint8Array[] = [];

  /** The lines that this piece completes, without their newline. */
  push(piece: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      this.#begun.push(piece.subarray(start, end));
      lines.push(textOf(this.#begun));
      this.#begun = [];
      start = end + 1;
    }
    if (start < piece.length) this.#begun.push(piece.subarray(start));
    return lines;
  }
}

function textOf(pieces: readonly Uint8Array[]): string {
  const [first, second] = pieces;
  const bytes = first !== undefined && second === undefined ? first : Buffer.concat(pieces);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
