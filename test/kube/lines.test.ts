import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lines } from '../../src/kube/lines.ts';

test('gives the lines back wherever the bytes are cut', () => {
  // Characters of one to four bytes, and other line separators, which are none here.
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '\u2028', '\u2029', '\r', '😀', '"') });
  fc.assert(
    fc.property(fc.array(text), fc.array(fc.nat()), (lines, cuts) => {
      const bytes = Buffer.from(lines.map(line => `${line}\n`).join(''));
      const splitter = new Lines();
      expect(pieces(bytes, cuts).flatMap(piece => splitter.push(piece))).toEqual(lines);
    }),
  );
});

test('keeps back a line without an end', () => {
  const lines = new Lines();
  expect(lines.push(Buffer.from('one\ntw'))).toEqual(['one']);
  expect(lines.push(Buffer.from('o\n'))).toEqual(['two']);
});

function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}
