import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { nodeFlags } from '../e2e/node-flags.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const Deployment = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.tuple([z.object({ command: z.array(z.string()) })]) }) }),
  }),
});

test('Node runs the operator with the same flags in the tests, in a cluster and by hand', () => {
  const documents = parseAllDocuments(read('deploy/deployment.yaml')).map(document => document.toJS());
  const deployment = Deployment.parse(documents.find(({ kind }) => kind === 'Deployment'));
  expect(deployment.spec.template.spec.containers[0].command.slice(0, -1)).toEqual(['node', ...nodeFlags]);
  const { scripts } = z.object({ scripts: z.object({ operator: z.string() }) }).parse(JSON.parse(read('package.json')));
  expect(scripts.operator).toBe(`node test/setup/run.mjs ${nodeFlags.join(' ')} src/main.ts`);
});
