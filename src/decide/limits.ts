import { parseDuration } from '../api/durations.ts';

/** What a consumer asks for, in the terms in which issuers set ceilings. */
export interface Ask {
  /** The BotUser's namespace, for `{namespace}` in a ceiling. */
  namespace: string;
  expiresIn: string;
  scopes: readonly string[];
  identities: readonly { service: string; id: string }[];
}

export interface Limits {
  maxLifetime?: string | undefined;
  scopes?: readonly string[] | undefined;
  identities?: readonly string[] | undefined;
}

/** Field, wish, ceiling and remedy: what a person needs to read. */
export interface Excess {
  field: string;
  wish: string;
  ceiling: string;
}

/** A list ceiling: which wishes it measures. Every later list is one more line here. */
const lists: Record<'scopes' | 'identities', { field: string; wishes: (ask: Ask) => readonly string[] }> = {
  scopes: { field: 'spec.scopes', wishes: ask => ask.scopes },
  identities: {
    field: "the BotUser's spec.identities",
    wishes: ask => ask.identities.map(({ service, id }) => `${service}/${id}`),
  },
};

/** The first wish that is above a ceiling. A list that a ClusterTokenIssuer leaves out allows nothing of its kind. */
export function excessOf(ask: Ask, limits: Limits): Excess | undefined {
  return lifetimeExcess(ask, limits.maxLifetime) ?? listExcess(ask, limits);
}

function lifetimeExcess(ask: Ask, ceiling: string | undefined): Excess | undefined {
  if (ceiling === undefined) return undefined;
  const wish = parseDuration(ask.expiresIn);
  const most = parseDuration(ceiling);
  if (most === 'never' || (wish !== 'never' && wish <= most)) return undefined;
  return { field: 'spec.expiresIn', wish: ask.expiresIn, ceiling: `limits.maxLifetime ${ceiling}` };
}

function listExcess(ask: Ask, limits: Limits): Excess | undefined {
  for (const [name, { field, wishes }] of Object.entries(lists)) {
    const globs = limits[name as keyof typeof lists] ?? [];
    const wish = wishes(ask).find(one => !globs.some(glob => matches(one, glob, ask.namespace)));
    if (wish !== undefined) return { field, wish, ceiling: `limits.${name} [${globs.join(', ')}]` };
  }
  return undefined;
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
