import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A page that leads through something, as a person follows it. */
export interface Guide {
  page: string;
  /** What is to be saved, by the name that stands before it. */
  files: ReadonlyMap<string, string>;
  /** The commands, block by block; what only shows something is not among them. */
  commands: readonly string[];
}

/** Reads a page of docs/. A file is a block of YAML behind a line with nothing but its name; commands are blocks of `sh`. */
export function guide(name: string): Guide {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8');
  const named = [...page.matchAll(/^`([\w.-]+)`:\n\n```yaml\n(.*?)```/gms)];
  const commands = [...page.matchAll(/^```sh\n(.*?)```/gms)];
  return {
    page,
    files: new Map(named.map(([, file = '', text = '']) => [file, text])),
    commands: commands.map(([, text = '']) => text),
  };
}
