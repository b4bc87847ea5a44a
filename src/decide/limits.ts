import type { ClusterTokenIssuer } from '../api/cluster-token-issuer.ts';
import { parseDuration } from '../api/durations.ts';

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

/** Which field wishes, and the first of its wishes that is above the ceiling. */
interface Ceiling {
  field: string | ((ask: Ask) => string);
  above: (ask: Ask, limits: Limits) => string | undefined;
}

/** In the order in which people are told. A ceiling that is new in the API does not compile before it has its entry here. */
const ceilings: { readonly [Name in keyof Limits]-?: Ceiling } = {
  maxLifetime: { field: 'spec.expiresIn', above: longerThan(({ maxLifetime }) => maxLifetime) },
  usernames: {
    field: 'spec.name',
    above: outside(
      ({ usernames }) => usernames,
      ask => (ask.name === undefined ? [] : [ask.name]),
    ),
  },
  projects: {
    field: ask => (ask.isSystem === true ? 'spec.projects' : 'spec.project'),
    above: outside(
      ({ projects }) => projects,
      ask => (ask.permissions ?? []).map(({ project }) => project),
    ),
  },
  permissions: {
    field: ask => (ask.isSystem === true ? 'spec.projects[].permissions' : 'spec.permissions'),
    above: outside(
      ({ permissions }) => permissions,
      ask => (ask.permissions ?? []).flatMap(({ permissions }) => permissions),
    ),
  },
  scopes: {
    field: 'spec.scopes',
    above: outside(
      ({ scopes }) => scopes,
      ask => ask.scopes ?? [],
    ),
  },
  identities: {
    field: "the BotUser's spec.identities",
    above: outside(
      ({ identities }) => identities,
      ask => (ask.identities ?? []).map(({ service, id }) => `${service}/${id}`),
    ),
  },
};

/** The first wish that is above a ceiling. A list that a ClusterTokenIssuer leaves out allows nothing of its kind. */
export function excessOf(ask: Ask, limits: Limits): Excess | undefined {
  for (const [name, { field, above }] of Object.entries(ceilings)) {
    const wish = above(ask, limits);
    const of = typeof field === 'string' ? field : field(ask);
    if (wish !== undefined)
      return { field: of, wish, ceiling: `limits.${name} ${textOf(limits[name as keyof Limits])}` };
  }
  return undefined;
}

function textOf(limit: string | readonly string[] = []): string {
  return typeof limit === 'string' ? limit : `[${limit.join(', ')}]`;
}

function longerThan(ceiling: (limits: Limits) => string | undefined): Ceiling['above'] {
  return ({ expiresIn }, limits) => {
    const most = parseDuration(ceiling(limits) ?? 'never');
    const wish = parseDuration(expiresIn);
    return most === 'never' || (wish !== 'never' && wish <= most) ? undefined : expiresIn;
  };
}

function outside(
  globs: (limits: Limits) => readonly string[] | undefined,
  wishes: (ask: Ask) => readonly string[],
): Ceiling['above'] {
  return (ask, limits) =>
    wishes(ask).find(wish => !(globs(limits) ?? []).some(glob => matches(wish, glob, ask.namespace)));
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
