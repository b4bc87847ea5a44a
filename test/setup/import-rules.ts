import { dirname, join, normalize } from 'node:path';

/** A source file: its path from the root of the repository, and its text. */
export interface Source {
  path: string;
  text: string;
}

/** Which folders of src/ a folder may import, besides itself (DESIGN, section 4). */
const allowed = new Map<string, readonly string[]>([
  ['base', []],
  ['api', ['base']],
  ['kube', ['base']],
  ['decide', ['base', 'api']],
  ['issuers', ['base', 'api']],
  ['controllers', ['base', 'api', 'kube', 'decide', 'issuers']],
  ['server', ['base', 'api', 'kube', 'issuers']],
  ['cli', ['base', 'api', 'kube', 'decide']],
]);

/** Puts the parts together, so it may import all of them. */
const main = 'src/main.ts';

/** What is wrong with the sources, one sentence each. */
export function violations(sources: readonly Source[]): string[] {
  return sources.flatMap(source => [...misplaced(source.path), ...forbiddenImports(source), ...forbiddenReads(source)]);
}

function misplaced(path: string): string[] {
  if (path.endsWith('/index.ts')) return [`${path}: a file is named after its subject, and a barrel has none`];
  if (path === main || allowed.has(folderOf(path))) return [];
  return [`${path}: not one of the known folders of src/ (test/setup/import-rules.ts has the table)`];
}

function forbiddenImports({ path, text }: Source): string[] {
  return relativeImports(text).flatMap(specifier => {
    const target = normalize(join(dirname(path), specifier));
    return mayImport(path, target) ? [] : [`${path} must not import ${target}`];
  });
}

function forbiddenReads({ path, text }: Source): string[] {
  return path !== main && text.includes('process.env') ? [`${path}: only ${main} reads the environment`] : [];
}

function mayImport(path: string, target: string): boolean {
  if (path === main) return target.startsWith('src/');
  const [from, to] = [folderOf(path), folderOf(target)];
  if (!target.startsWith('src/') || target === main) return false;
  if (from === 'issuers' && to === 'issuers') return sameIssuer(path, target);
  return from === to || (allowed.get(from) ?? []).includes(to);
}

/** Each issuer stands alone; what lies in src/issuers/ itself is what they have in common. */
function sameIssuer(path: string, target: string): boolean {
  const [from, to] = [path, target].map(file => file.split('/').slice(2, -1)[0]);
  return to === undefined || from === to;
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

/** What is imported or exported from by a relative path, also only for its types, also late. */
function relativeImports(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]*)['"]/g)].map(match => match[1] ?? '');
}
