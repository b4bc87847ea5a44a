import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A line of docs/features.md. */
export interface Feature {
  feature: string;
  /** A kind and a part of its manifest in flow style, a command, or a dash. */
  written: string;
  /** The tests that show it. */
  shown: string;
}

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'features.md'), 'utf8');

export const features: readonly Feature[] = page
  .split('\n')
  .filter(line => line.startsWith('| '))
  .map(line => line.slice(2, -2).split(' | '))
  .map(([feature = '', written = '', shown = '']) => ({ feature, written, shown }))
  .filter(({ feature }) => feature !== 'feature' && feature !== '---');
