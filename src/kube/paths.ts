import type { Ref, Resource } from './objects.ts';

export type Query = Readonly<Record<string, string | undefined>>;

/** The path under which a resource's objects are listed and created; without a namespace, those of all namespaces. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = namespace === undefined ? '' : `/namespaces/${segment(namespace)}`;
  return `${root}${scope}/${resource.plural}`;
}

/** The path of one object. Throws where a missing part would make it the path of a whole collection. */
export function objectPath(resource: Resource, ref: Ref, subresource?: string): string {
  if (resource.namespaced !== (ref.namespace !== undefined)) {
    throw new TypeError(`${resource.kind} ${ref.name}: a namespace is ${resource.namespaced ? 'missing' : 'too much'}`);
  }
  const path = `${collectionPath(resource, ref.namespace)}/${segment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function withQuery(path: string, query: Query): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) pairs.push(`${name}=${encodeURIComponent(value)}`);
  }
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

// An empty or dotted segment would be cleaned away on the server: a DELETE of one object would become one of all.
function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') throw new TypeError(`'${text}' is no name`);
  return encodeURIComponent(text);
}
