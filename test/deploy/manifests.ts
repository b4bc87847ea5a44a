import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

const root = join(import.meta.dirname, '..', '..', 'deploy');

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type Manifest = z.infer<typeof manifest>;

const rule = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
export type Rule = z.infer<typeof rule>;

/** The path of a file of deploy/. */
export function deployPath(file: string): string {
  return join(root, file);
}

/** The files that `kubectl apply -f deploy/` takes, in its order, and those of options/. */
export function deployFiles(folder: '' | 'options' = ''): string[] {
  const files = readdirSync(join(root, folder)).filter(file => file.endsWith('.yaml'));
  return files.toSorted().map(file => join(folder, file));
}

export function manifestsOf(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(deployPath(file), 'utf8')).map(document => manifest.parse(document.toJS()));
}

/** The rules of the Role or ClusterRole of that name. */
export function rulesOf(file: string, kind: 'Role' | 'ClusterRole', name: string): Rule[] {
  const found = manifestsOf(file).find(each => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name} in ${file}`);
  return z.array(rule).parse(found.rules);
}

/**
 * The objects of an admission policy, by other names and for the objects of one namespace only, so that other tests on
 * the same cluster do not meet it.
 */
export function policyFor(file: string, namespace: string): Manifest[] {
  const named = (name: unknown) => `${String(name)}-${namespace}`;
  return manifestsOf(file).map(each => {
    const metadata = { ...each.metadata, name: named(each.metadata.name) };
    if (!each.kind.endsWith('Binding')) return { ...each, metadata };
    const spec = z.looseObject({ policyName: z.string() }).parse(each.spec);
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
    return { ...each, metadata, spec: { ...spec, policyName: named(spec.policyName), matchResources } };
  });
}
