import type { Column, Kind } from './kind.ts';
import { lint } from './lint.ts';
import { type Structural, structural } from './structural.ts';

export interface CRD {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string };
  spec: {
    group: string;
    scope: 'Namespaced' | 'Cluster';
    names: object;
    versions: [{ name: string; schema: { openAPIV3Schema: Structural } } & Record<string, unknown>];
  };
}

/** What a CRD needs of a kind; the type of its objects does not matter here. */
export type KindShape = Omit<Kind<unknown>, 'parse'>;

/** The CustomResourceDefinition of a kind. Throws when its schema is not one that the API server takes as it is meant. */
export function crdOf(kind: KindShape): CRD {
  const schema = schemaOf(kind);
  const problems = lint(schema);
  if (problems.length > 0) throw new Error(`${kind.kind} cannot be a CRD:\n${problems.join('\n')}`);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      names: names(kind),
      versions: [version(kind, schema)],
    },
  };
}

/** The schema of a kind without apiVersion, kind and metadata, which the API server adds. */
export function schemaOf(kind: KindShape): Structural {
  const { properties = {}, required = [], ...root } = structural(kind.schema);
  const own = Object.entries(properties).filter(([name]) => !foreign.includes(name));
  return { ...root, required: required.filter(name => !foreign.includes(name)), properties: Object.fromEntries(own) };
}

const foreign = ['apiVersion', 'kind', 'metadata'];

function names({ kind, plural, shortNames, inCategory }: KindShape): object {
  return { kind, plural, singular: kind.toLowerCase(), shortNames, ...(inCategory && { categories: ['botmint'] }) };
}

function version(kind: KindShape, schema: Structural): CRD['spec']['versions'][0] {
  const fields = kind.selectableFields.map(jsonPath => ({ jsonPath }));
  return {
    name: kind.version,
    served: true,
    storage: true,
    subresources: { status: {} },
    additionalPrinterColumns: kind.columns.map(column),
    ...(fields.length > 0 && { selectableFields: fields }),
    schema: { openAPIV3Schema: schema },
  };
}

function column({ name, type, jsonPath, wide }: Column): object {
  return { name, type, jsonPath, ...(wide && { priority: 1 }) };
}
