import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { parseDuration } from '../api/durations.ts';
import type { limitLists } from '../api/limits.ts';

/** What a consumer asks for, in the terms in which issuers set ceilings: each kind asks for some of it. */
export interface Ask {
  /** The namespace of whom the credential speaks for, for `{namespace}` in a ceiling. */
  namespace: string;
  expiresIn: string;
  scopes?: readonly string[];
  identities?: readonly { service: string; id: string }[];
  /** The name of a robot, without prefix and project. */
  name?: string;
  /** A robot of several projects. */
  isSystem?: boolean;
  /** What a robot wants to do, by project. */
  permissions?: readonly { project: string; permissions: readonly string[] }[];
}

/** The ceilings of an issuer, as its spec has them. */
export type Limits = ClusterTokenIssuer['spec']['limits'];

/** Field, wish, ceiling and remedy: what a person needs to read. */
export interface Excess {
  field: string;
  wish: string;
  ceiling: string;
}

/** A list of globs in `limits`: which field of the consumer wishes for something of its kind, and for what. */
interface Ceiling {
  field: string | ((ask: Ask) => string);
  wishes: (ask: Ask) => readonly string[];
}

/** In the order in which people are told. A list that is new in the API does not compile before it has its entry here. */
const ceilings: { readonly [Name in keyof typeof limitLists]: Ceiling } = {
  usernames: { field: 'spec.name', wishes: ({ name }) => (name === undefined ? [] : [name]) },
  projects: {
    field: ({ isSystem }) => (isSystem === true ? 'spec.projects' : 'spec.project'),
    wishes: ({ permissions = [] }) => permissions.map(({ project }) => project),
  },
  permissions: {
    field: ({ isSystem }) => (isSystem === true ? 'spec.projects[].permissions' : 'spec.permissions'),
    wishes: ({ permissions: wanted = [] }) => wanted.flatMap(({ permissions }) => permissions),
  },
  scopes: { field: 'spec.scopes', wishes: ({ scopes = [] }) => scopes },
  identities: {
    field: "the BotUser's spec.identities",
    wishes: ({ identities = [] }) => identities.map(({ service, id }) => `${service}/${id}`),
  },
};

/** The first wish that is above a ceiling. A list that a ClusterTokenIssuer leaves out allows nothing of its kind. */
export function excessOf(ask: Ask, limits: Limits): Excess | undefined {
  const { maxLifetime, ...rest } = limits;
  const lists: Readonly<Record<string, readonly string[]>> = rest;
  if (maxLifetime !== undefined && isLonger(ask.expiresIn, maxLifetime))
    return { field: 'spec.expiresIn', wish: ask.expiresIn, ceiling: `limits.maxLifetime ${maxLifetime}` };
  for (const [name, { field, wishes }] of Object.entries(ceilings)) {
    const allowed = lists[name] ?? [];
    const wish = wishes(ask).find(each => !allowed.some(glob => matches(each, glob, ask.namespace)));
    if (wish === undefined) continue;
    const of = typeof field === 'string' ? field : field(ask);
    return { field: of, wish, ceiling: `limits.${name} [${allowed.join(', ')}]` };
  }
  return undefined;
}

function isLonger(wish: string, most: string): boolean {
  const [wished, allowed] = [parseDuration(wish), parseDuration(most)];
  return allowed !== 'never' && (wished === 'never' || wished > allowed);
}

/** `*` stands for any run of characters, `{namespace}` for the consumer's namespace; everything else for itself. */
export function matches(text: string, glob: string, namespace: string): boolean {
  const [start = '', ...parts] = glob.replaceAll('{namespace}', namespace).split('*');
  const end = parts.pop();
  if (end === undefined) return text === start;
  if (!text.startsWith(start)) return false;
  // The first place is the best one for each part: a regular expression would try all places, for hours if there are many stars.
  let at = start.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - end.length >= at && text.endsWith(end);
}
