/** What a request asks of the Kubernetes API, in the API's own words. */
export interface Target {
  /** For paths outside of the resources (`/readyz`, `/openapi/v3`) the verb is the HTTP method and `resource` is empty. */
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  /** Empty for the core group. */
  group: string;
  /** Plural, lower case; empty when the path names none. */
  resource: string;
  /** For example `status` or `token`; empty for the object itself. */
  subresource: string;
  /** Empty for cluster-scoped resources, and for lists and watches over all namespaces. */
  namespace: string;
  /** Empty for collections. */
  name: string;
  path: string;
  query: URLSearchParams;
}

/** A request as the proxy saw it. */
export interface SeenRequest extends Target {
  /** 1 for the first request that this proxy saw. */
  n: number;
  at: Date;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** What a write carried, as text; cut off at 256 KiB. */
  body: string;
  /** What the API server, or a rule in its place, answered; undefined as long as it has not, and for ever when it was dropped. */
  status: number | undefined;
}

/** Understands a request line, as the API server's own RequestInfo does. */
export function targetOf(method: string, url: string): Target {
  const { pathname: path, searchParams: query } = new URL(url, 'https://proxy');
  const parts = path.split('/').filter(part => part !== '');
  const { group, rest } = groupOf(parts);
  const { namespace, resource, name, subresource } = objectOf(rest);
  const verb = verbOf(method, { isCollection: resource !== '' && name === '', query });
  return { verb, group, resource, subresource, namespace, name, path, query };
}

/** True for everything that changes the cluster: reviews and token requests are POSTs, too, but leave nothing behind. */
export function isWrite(request: Target): boolean {
  if (
    request.resource === '' ||
    request.group === 'authorization.k8s.io' ||
    request.group === 'authentication.k8s.io'
  ) {
    return false;
  }
  return !['get', 'list', 'watch'].includes(request.verb) && request.subresource !== 'token';
}

/** True for what an operator does also when it has nothing to do: Leases, and Events, which nothing depends on. */
export function isBackground(request: Target): boolean {
  return request.group === 'coordination.k8s.io' || request.resource === 'events';
}

function groupOf(parts: readonly string[]): { group: string; rest: readonly string[] } {
  if (parts[0] === 'api') return { group: '', rest: parts.slice(2) };
  if (parts[0] === 'apis') return { group: parts[1] ?? '', rest: parts.slice(3) };
  return { group: '', rest: [] };
}

function objectOf(rest: readonly string[]): Pick<Target, 'namespace' | 'resource' | 'name' | 'subresource'> {
  const [first = '', second = '', third = '', ...more] = rest;
  // `namespaces/x/status` is a subresource of the namespace; `namespaces/x/secrets` is a collection inside of it.
  const isInside = first === 'namespaces' && third !== '' && third !== 'status' && third !== 'finalize';
  if (!isInside) {
    return { namespace: first === 'namespaces' ? second : '', resource: first, name: second, subresource: third };
  }
  const [name = '', subresource = ''] = more;
  return { namespace: second, resource: third, name, subresource };
}

function verbOf(method: string, o: { isCollection: boolean; query: URLSearchParams }): Target['verb'] {
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return o.isCollection ? 'deletecollection' : 'delete';
    default:
      if (['true', '1'].includes(o.query.get('watch') ?? '')) return 'watch';
      return o.isCollection ? 'list' : 'get';
  }
}
