import { type Action, actionsEverywhere, actionsOn, type Grant } from './permissions.ts';

// The grammar of distribution's docs/content/spec/auth/scope.md.

/** What a client asks for, parsed. A class, as in `repository(plugin)`, means nothing to registries of today and is dropped. */
export interface Scope {
  type: string;
  name: string;
  /** Words, or `*` for whatever there is. */
  actions: readonly string[];
}

/** What a token allows, in the form of its claim `access`. */
export interface Access {
  type: string;
  name: string;
  actions: string[];
}

export type ParsedScopes = { valid: true; scopes: Scope[] } | { valid: false; because: string };

/** A client asks for one repository, and for the sources of layers that it wants to be mounted. The token travels in a header, which proxies keep short. */
const mostScopes = 50;
/** Of a repository's name (distribution's reference package). */
const longestName = 255;

const typeForm = /^([a-z0-9]+)(?:\([a-z0-9]+\))?$/;
const actionForm = /^(?:[a-z]*|\*)$/;
const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const host = '[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?';
const repositoryForm = new RegExp(`^(?:${host}/)?${component}(?:/${component})*$`);

/** The scopes of one request: each parameter may hold several, and there may be several parameters. `because` quotes nothing. */
export function parseScopes(parameters: readonly string[]): ParsedScopes {
  const texts = parameters.flatMap(parameter => parameter.split(' ')).filter(text => text !== '');
  if (texts.length > mostScopes) return { valid: false, because: `more than ${mostScopes} scopes` };
  const scopes: Scope[] = [];
  for (const [index, text] of texts.entries()) {
    const scope = parseScope(text);
    if (typeof scope === 'string') return { valid: false, because: `scope ${index + 1}: ${scope}` };
    scopes.push(scope);
  }
  return { valid: true, scopes };
}

/** The scope, or what is wrong with it. A name may hold `host:port`: the first and the last colon divide. */
function parseScope(text: string): Scope | string {
  const [first, last] = [text.indexOf(':'), text.lastIndexOf(':')];
  if (first === last) return 'not of the form type:name:actions';
  const [, type] = typeForm.exec(text.slice(0, first)) ?? [];
  if (type === undefined) return 'not a resource type';
  const name = text.slice(first + 1, last);
  if (!isName(type, name)) return 'not a resource name';
  const asked = text.slice(last + 1).split(',');
  if (!asked.every(action => actionForm.test(action))) return 'not a list of actions';
  return { type, name, actions: asked.filter(action => action !== '') };
}

function isName(type: string, name: string): boolean {
  if (name.length > longestName) return false;
  return type === 'repository' ? repositoryForm.test(name) : /^[\w./:-]+$/.test(name);
}

/** Who asks: an account, or nobody in particular. */
export type Requester = { anonymous: true } | { anonymous: false; grants: readonly Grant[] };

/**
 * What the requester gets of what it asks for; less than that, or nothing at all, is not an error in this protocol. What
 * anonymous clients may pull, accounts may pull too: logging in must not take anything away.
 */
export function grantedAccess(
  scopes: readonly Scope[],
  requester: Requester,
  anonymousProjects: readonly string[],
): Access[] {
  const open = anonymousProjects.map((project): Grant => ({ project, permissions: ['PullArtifacts'] }));
  const grants = requester.anonymous ? open : [...requester.grants, ...open];
  return merged(scopes).flatMap(scope => {
    const allowed = allowedOn(scope, grants, requester);
    return allowed.length === 0 ? [] : [{ type: scope.type, name: scope.name, actions: allowed }];
  });
}

/** The scopes as text again, as the answer to an OAuth2 request has to name them (RFC 6749 section 5.1). */
export function scopeText(access: readonly Access[]): string {
  return access.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' ');
}

/** The names of all repositories are for those who may pull every one of them, and for nobody who has not logged in. */
function mayReadCatalog(requester: Requester): boolean {
  return !requester.anonymous && actionsEverywhere(requester.grants).includes('pull');
}

/** A type that is not known here, a plugin's for example, is allowed to nobody. */
function allowedOn(scope: Scope, grants: readonly Grant[], requester: Requester): string[] {
  if (scope.type === 'registry') {
    // The registry itself asks for the action `*` here and compares it as a word.
    return scope.name === 'catalog' && scope.actions.includes('*') && mayReadCatalog(requester) ? ['*'] : [];
  }
  if (scope.type !== 'repository') return [];
  const wanted = (action: Action) => scope.actions.includes('*') || scope.actions.includes(action);
  return actionsOn(scope.name, grants).filter(wanted);
}

/** One entry for each resource. */
function merged(scopes: readonly Scope[]): Scope[] {
  const byResource = new Map<string, Scope>();
  for (const scope of scopes) {
    const key = `${scope.type}:${scope.name}`;
    const known = byResource.get(key)?.actions ?? [];
    byResource.set(key, { ...scope, actions: [...known, ...scope.actions] });
  }
  return [...byResource.values()];
}
