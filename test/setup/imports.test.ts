import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { violations } from './import-rules.ts';

const root = join(import.meta.dirname, '..', '..');

test('the folders of src/ import each other in one direction only', () => {
  const paths = globSync('src/**/*.ts', { cwd: root });
  expect(paths.length).toBeGreaterThan(20);
  expect(violations(paths.map(path => ({ path, text: readFileSync(join(root, path), 'utf8') })))).toEqual([]);
});

describe('the rules', () => {
  test.each([
    ['src/decide/a.ts', "import { b } from '../api/b.ts';"],
    ['src/server/a.ts', "import type { Store } from '../kube/store.ts';"],
    ['src/base/a.ts', "import { b } from './b.ts';"],
    ['src/issuers/jwt/a.ts', "import { b } from './b.ts';"],
    ['src/issuers/jwt/a.ts', "import type { Issuer } from '../issuer.ts';"],
    ['src/main.ts', "import { b } from './server/b.ts';\nconst c = process.env.BOTMINT_LISTEN;"],
  ])('allow %s to say %s', (path, text) => expect(violations([{ path, text }])).toEqual([]));

  test.each([
    ['src/base/a.ts', "import { b } from '../api/b.ts';"],
    ['src/api/a.ts', "import type { KubeObject } from '../kube/objects.ts';"],
    ['src/kube/a.ts', "export { b } from '../api/names.ts';"],
    ['src/decide/a.ts', "const { b } = await import('../kube/b.ts');"],
    ['src/server/a.ts', "import { b } from '../controllers/b.ts';"],
    ['src/controllers/a.ts', "import { b } from '../server/b.ts';"],
    ['src/controllers/a.ts', "import '../server/b.ts';"],
    ['src/kube/a.ts', "import {\n  b,\n} from '../decide/b.ts';"],
    ['src/issuers/jwt/a.ts', "import { b } from '../registry/b.ts';"],
    ['src/issuers/a.ts', "import { b } from './jwt/b.ts';"],
    ['src/base/a.ts', "import { b } from '../main.ts';"],
    ['src/base/a.ts', "import { b } from '../../test/cluster/wait.ts';"],
    ['src/main.ts', "import { b } from '../test/cluster/wait.ts';"],
    ['src/api/index.ts', ''],
    ['src/helpers/a.ts', ''],
    ['src/helpers.ts', ''],
    ['src/kube/a.ts', 'const home = process.env.HOME;'],
  ])('forbid %s to say %s', (path, text) => expect(violations([{ path, text }])).toHaveLength(1));
});
