import { reasons } from './conditions.ts';
import { crdOf } from './crd.ts';
import { kinds } from './kinds.ts';
import { conditionsPage, exampleOf, kindPage } from './reference.ts';
import { yamlOf } from './yaml.ts';

const notice = 'Generated from src/api by `npm run generate`; edits are lost.';
/** Where the reference pages find their examples: manifests that the tests apply to a real API server. */
const examples = [
  'test/examples/01-bot.yaml',
  'test/examples/02-deployer.yaml',
  'test/examples/03-issuer.yaml',
  'test/examples/04-robot.yaml',
  'test/api/revocation.yaml',
];

/** Every generated file by its path from the root of the repository. `read` gives the text of a file by such a path. */
export function generatedFiles(read: (path: string) => string): Record<string, string> {
  const manifests = examples.map(read).join('\n---\n');
  const crds = kinds.map(kind => [`crds/${kind.plural}.yaml`, `# ${notice}\n${yamlOf(crdOf(kind))}`]);
  const pages = kinds.map(kind => [
    `docs/reference/${kind.kind.toLowerCase()}.md`,
    `<!-- ${notice} -->\n${kindPage(kind, exampleOf(kind.kind, manifests))}`,
  ]);
  const conditions = ['docs/reference/conditions.md', `<!-- ${notice} -->\n${conditionsPage(reasons)}`];
  return Object.fromEntries([...crds, ...pages, conditions]);
}
