import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Meaning, reasons } from '../../src/api/conditions.ts';
import { crdOf } from '../../src/api/crd.ts';
import { generatedFiles } from '../../src/api/generated-files.ts';
import { kinds } from '../../src/api/kinds.ts';
import { structural } from '../../src/api/structural.ts';

const read = (path: string) => readFileSync(join(import.meta.dirname, '..', '..', path), 'utf8');
const files = generatedFiles(read);

test.each(Object.keys(files))('%s is committed as it is generated (else: npm run generate)', path => {
  expect(read(path)).toBe(files[path]);
});

test.each(kinds)('the YAML of $kind says what was meant, however it is folded', kind => {
  expect(parse(files[`crds/${kind.plural}.yaml`] ?? '')).toEqual(JSON.parse(JSON.stringify(crdOf(kind))));
});

test.each(kinds)('the page of $kind shows every field, every rule and a manifest', kind => {
  const page = files[`docs/reference/${kind.kind.toLowerCase()}.md`] ?? '';
  const json = JSON.stringify(structural(kind.schema).properties?.spec);
  const messages = [...json.matchAll(/"message":"([^"]+)"/g)].map(([, message]) => message);
  expect(messages.length).toBeGreaterThan(2);
  for (const message of messages) expect(page).toContain(message);
  for (const field of fieldsOf(structural(kind.schema).properties?.spec ?? {}, 'spec'))
    expect(page).toContain(`### ${field}\n`);
  expect(page).toContain(`kind: ${kind.kind}\n`);
});

test('a page names the words that a list may have', () => {
  const page = files['docs/reference/robotaccount.md'];
  expect(page).toContain('each one of `PushArtifacts`, `PullArtifacts`, `DeleteArtifacts`');
});

test('the page of conditions has every reason', () => {
  for (const [reason, meaning] of Object.entries<Meaning>(reasons)) {
    const row = (files['docs/reference/conditions.md'] ?? '')
      .split('\n')
      .find(line => line.startsWith(`| \`${reason}\` |`));
    for (const text of [meaning.cause, meaning.remedy ?? '–', ...Object.keys(meaning.on)]) expect(row).toContain(text);
  }
});

function fieldsOf(node: ReturnType<typeof structural>, path: string): string[] {
  const within = node.items ? fieldsOf(node.items, `${path}[]`) : [];
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]) => [
    `${path}.${name}`,
    ...fieldsOf(child, `${path}.${name}`),
  ]);
  return [...own, ...within];
}
