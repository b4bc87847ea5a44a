import { type ClusterTokenIssuer, type IssuerOf, isOfType } from '../api/cluster-token-issuer.ts';

/** What is served for each issuer. */
export type Endpoint = 'discovery' | 'jwks' | 'introspect' | 'statusLists';

/** The paths below an issuer's own. All but the first are what discovery names below the issuerURL. */
export const endpointPaths = {
  discovery: '/.well-known/openid-configuration',
  jwks: '/jwks',
  introspect: '/introspect',
  statusLists: '/status',
} as const satisfies Record<Endpoint, string>;

/** RFC 8414 section 3.1 puts its well-known part before the issuer's path, where OpenID Connect puts its own behind it. */
const rfc8414Prefix = '/.well-known/oauth-authorization-server';

/** One list: its number as it is written, without leading zeros. */
const statusListPath = /^(.*)\/status\/(0|[1-9][0-9]{0,9})$/;

type Reading = { endpoint: Endpoint } | { endpoint: 'statusList'; list: number };

/** The endpoint and whose it is. */
export type Route = { issuer: IssuerOf<'jwt'> } & Reading;

/**
 * Finds the issuer of JWTs that a request is for: `/issuers/<name>/…` under any Host, then the path of an issuerURL. Where
 * several issuerURLs have that path, the Host header chooses, and a Host that is none of theirs finds nothing.
 */
export function routeOf(path: string, host: string, issuers: Iterable<ClusterTokenIssuer>): Route | undefined {
  const all = [...issuers].filter(issuer => isOfType(issuer, 'jwt'));
  for (const { base, ...reading } of readings(path)) {
    const issuer = named(base, all) ?? byURL(base, host, all);
    if (issuer !== undefined) return { issuer, ...reading };
  }
  return undefined;
}

/** Each way to split a path into an issuer's part and an endpoint. */
function readings(path: string): (Reading & { base: string })[] {
  const endpoints: Endpoint[] = ['discovery', 'jwks', 'introspect', 'statusLists'];
  const below: (Reading & { base: string })[] = endpoints
    .filter(endpoint => path.endsWith(endpointPaths[endpoint]))
    .map(endpoint => ({ endpoint, base: path.slice(0, -endpointPaths[endpoint].length) }));
  const [, base, list] = statusListPath.exec(path) ?? [];
  if (base !== undefined) below.push({ endpoint: 'statusList', list: Number(list), base });
  const isRFC8414 = path === rfc8414Prefix || path.startsWith(`${rfc8414Prefix}/`);
  return isRFC8414 ? [...below, { endpoint: 'discovery', base: path.slice(rfc8414Prefix.length) }] : below;
}

function named(base: string, issuers: readonly IssuerOf<'jwt'>[]): IssuerOf<'jwt'> | undefined {
  const [, name] = /^\/issuers\/([^/]+)$/.exec(base) ?? [];
  return name === undefined ? undefined : issuers.find(issuer => issuer.metadata.name === name);
}

function byURL(base: string, host: string, issuers: readonly IssuerOf<'jwt'>[]): IssuerOf<'jwt'> | undefined {
  const holders = new Map<string, { issuer: IssuerOf<'jwt'>; host: string }>();
  for (const issuer of [...issuers].sort(byAge)) {
    const url = URL.parse(issuer.spec.jwt.issuerURL);
    if (url === null || pathOf(url) !== base || holders.has(url.href)) continue; // the older issuer holds the URL
    holders.set(url.href, { issuer, host: url.host });
  }
  const candidates = [...holders.values()];
  if (candidates.length === 1) return candidates[0]?.issuer;
  const asked = URL.parse(`https://${host}`)?.host; // takes away :443, as in the issuer's URL
  return candidates.find(candidate => candidate.host === asked)?.issuer;
}

function pathOf(url: URL): string {
  return url.pathname.replace(/\/$/, '');
}

/** The older first; of two that were made in the same second, the smaller UID, as everywhere. */
function byAge({ metadata: a }: IssuerOf<'jwt'>, { metadata: b }: IssuerOf<'jwt'>): number {
  return Date.parse(a.creationTimestamp) - Date.parse(b.creationTimestamp) || (a.uid < b.uid ? -1 : 1);
}
