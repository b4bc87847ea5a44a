import { celMatches, type Form } from './schema.ts';

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}([.]${label})*`;
const qualified = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';

/** RFC 1123 label. Its length is the field's to say. */
export const dnsLabel: Form = {
  pattern: new RegExp(`^${label}$`),
  says: 'must be lower-case letters, digits and hyphens, with a letter or digit at both ends',
};

/** RFC 1123 subdomain: the name of almost every Kubernetes object. */
export const objectName: Form = {
  pattern: new RegExp(`^${subdomain}$`),
  says: 'must be the name of a Kubernetes object: lower-case letters, digits, hyphens and dots, with a letter or digit at both ends of each part',
};

/** What the API server accepts as a key of a Secret: neither `.` nor anything that starts with two dots. */
export const secretKey: Form = {
  pattern: /^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$/,
  says: 'must be a key that a Secret can have: letters, digits, hyphens, underscores and dots, not starting with two dots',
};

/** Key of a label or annotation: an optional DNS prefix and a name of at most 63 characters. */
export const labelKey: Form = {
  pattern: new RegExp(`^(${subdomain}/)?${qualified}$`),
  says: 'must be a name of at most 63 letters, digits, hyphens, underscores and dots, if need be after a DNS name and a slash',
};

/** CEL for whether a field is such a key. The length of the prefix is counted, which a pattern of two parts cannot do. */
export function celIsLabelKey(field: string): string {
  return `(${celMatches(field, labelKey.pattern)} && ${field}.find('^[^/]*/').size() <= 254)`;
}

export const labelValue: Form = {
  pattern: new RegExp(`^(${qualified})?$`),
  says: 'must be empty or at most 63 letters, digits, hyphens, underscores and dots, with a letter or digit at both ends',
};

/** Every issuer is compared as a text, so there is one way to write each, and discovery paths can be put behind it. */
export const issuerURL: Form = {
  pattern: /^https:\/\/([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/,
  says: 'must be an https URL with a lower-case host and without user, query, fragment or trailing slash, such as https://tokens.example.com',
};

/** RFC 7519 leaves audiences open; whitespace in one is always a slip. */
export const audience: Form = {
  pattern: /^[!-~]+$/,
  says: 'must be printable ASCII without spaces, such as https://api.example.com',
};

/** RFC 6749, section 3.3: in a token scopes stand side by side, so one with a space would be two. */
export const scope: Form = {
  pattern: /^[!#-[\]-~]+$/,
  says: 'must be one OAuth scope: printable ASCII without spaces, double quotes and backslashes, such as orders:read',
};

export const scopeGlob: Form = {
  pattern: scope.pattern,
  says: 'must be a scope, in which a star stands for anything, such as orders:*',
};

/** Without a slash, so that `service/id` has one reading. */
export const service: Form = {
  pattern: /^[a-z0-9]([-._a-z0-9]*[a-z0-9])?$/,
  says: 'must be lower-case letters, digits, hyphens, underscores and dots, with a letter or digit at both ends, such as github',
};

export const identityID: Form = {
  pattern: /^[!-~]+$/,
  says: 'must be printable ASCII without spaces, such as acme-ci',
};

export const identityGlob: Form = {
  pattern: /^([*]|[!-.0-~]+\/[!-~]+)$/,
  says: 'must be service/id, in which a star stands for anything, such as github/acme-*; or * alone for all',
};

/** What Harbor takes as a robot's name, and what a log-in can have without quoting. */
export const robotName: Form = {
  pattern: /^[a-z0-9]+([._-][a-z0-9]+)*$/,
  says: 'must be lower-case letters and digits, with single dots, hyphens or underscores between them, such as ci-push',
};

// A component of a repository's path (distribution's reference package): a project is its first. Harbor's rule is narrower.
const component = '[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*';

/** The name of a project of a registry. */
export const project: Form = {
  pattern: new RegExp(`^${component}$`),
  says: 'must be what a registry takes as a project: lower-case letters and digits, with dots, hyphens or underscores between them, such as payments',
};

export const projectOrEvery: Form = {
  pattern: new RegExp(`^([*]|${component})$`),
  says: `${project.says}; or * for every project`,
};

/** Of projects and usernames in ceilings: their characters, a star for anything, and the placeholder. */
export const nameGlob: Form = {
  pattern: /^([a-z0-9._*-]|[{]namespace[}])+$/,
  says: 'must be lower-case letters, digits, dots, hyphens and underscores, in which a star stands for anything and {namespace} for the namespace of the robot, such as {namespace}-*',
};

/** Host of a registry as image references have it, without a scheme. */
export const registryHost: Form = {
  pattern: /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$/,
  says: 'must be a host in lower case, if need be with a port, and without https:// and path, such as registry.example.com',
};

/** Registries compare it as a text, and it stands in headers between double quotes. */
export const registryWord: Form = {
  pattern: /^[!#-[\]-~]+$/,
  says: 'must be printable ASCII without spaces, double quotes and backslashes, such as registry.example.com',
};

/** Before the name of a robot. A dollar sign is allowed and breaks shells; a colon would end a name (RFC 7617). */
export const robotPrefix: Form = {
  pattern: /^[a-z0-9._$-]+$/,
  says: 'must be lower-case letters, digits, dots, hyphens, underscores and dollar signs, such as robot_',
};
