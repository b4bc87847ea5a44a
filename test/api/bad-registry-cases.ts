// Issuers of type registry that are wrong.
import { type Bad, issuer, long, refused, registryIssuer } from './sample.ts';

export const badRegistries: readonly Bad[] = [
  ...['service', 'issuer', 'host'].map(field =>
    refused(`no ${field}`, registryIssuer({ [field]: undefined }), `spec.registry.${field}`, 'Required value', 'both'),
  ),
  ...['service', 'issuer'].flatMap(field =>
    ['a b', 'a"b', 'a\\b', 'ä', ''].map(text =>
      refused(
        `${field} ${JSON.stringify(text)}`,
        registryIssuer({ [field]: text }),
        `spec.registry.${field}`,
        'must be printable ASCII without spaces, double quotes and backslashes',
        'both',
      ),
    ),
  ),
  ...['https://r.example', 'r.example/v2', 'R.example', 'r.example:', 'r.example:https', '-r', 'r_e', 'me@r', ''].map(
    host =>
      refused(
        `host ${JSON.stringify(host)}`,
        registryIssuer({ host }),
        'spec.registry.host',
        'must be a host in lower case, if need be with a port, and without https:// and path',
        'both',
      ),
  ),
  ...['robot:', 'Robot_', 'robot ', 'robot+', ''].map(robotPrefix =>
    refused(
      `robotPrefix ${JSON.stringify(robotPrefix)}`,
      registryIssuer({ robotPrefix }),
      'spec.registry.robotPrefix',
      'must be lower-case letters, digits, dots, hyphens, underscores and dollar signs',
      'both',
    ),
  ),
  refused(
    'a prefix of 33 characters',
    registryIssuer({ robotPrefix: long(33) }),
    'spec.registry.robotPrefix',
    '32',
    'both',
  ),
  ...['never', '0s', '5', ''].map(tokenLifetime =>
    refused(
      `tokenLifetime ${JSON.stringify(tokenLifetime)}`,
      registryIssuer({ tokenLifetime }),
      'spec.registry.tokenLifetime',
      'must be a whole number and one unit',
      'both',
    ),
  ),
  refused(
    'tokens that end too soon to be used',
    registryIssuer({ tokenLifetime: '59s' }),
    'spec.registry.tokenLifetime',
    'tokenLifetime must be at least 60s',
    'server',
  ),
  ...['25h', '86401s', '2d', '1mo'].map(tokenLifetime =>
    refused(
      `tokens that nothing ends for ${tokenLifetime}`,
      registryIssuer({ tokenLifetime }),
      'spec.registry.tokenLifetime',
      'tokenLifetime must be at most 24h',
      'server',
    ),
  ),
  ...['*', 'a/b', 'A'].map(name =>
    refused(
      `anonymous pulls from ${name}`,
      registryIssuer({ anonymous: { projects: [name] } }),
      'spec.registry.anonymous.projects[0]',
      'must be what a registry takes as a project',
      'both',
    ),
  ),
  refused(
    'two types',
    issuer({ registry: { service: 'a', issuer: 'b', host: 'c' } }),
    'spec',
    'exactly one type',
    'both',
  ),
  ...['usernames', 'projects', 'permissions'].map(list =>
    refused(
      `limits.${list} of an issuer of JWTs`,
      issuer({ limits: { [list]: ['*'] } }),
      `spec.limits.${list}`,
      `limits.${list} means nothing for an issuer of type jwt`,
      'server',
    ),
  ),
  ...['scopes', 'identities'].map(list =>
    refused(
      `limits.${list} of a registry`,
      registryIssuer({}, { limits: { [list]: ['*'] } }),
      `spec.limits.${list}`,
      `limits.${list} means nothing for an issuer of type registry`,
      'server',
    ),
  ),
  ...['usernames', 'projects'].flatMap(list =>
    ['A', 'a b', '{name}', '{namespace', ''].map(glob =>
      refused(
        `limits.${list}: ${JSON.stringify(glob)}`,
        registryIssuer({}, { limits: { [list]: [glob] } }),
        `spec.limits.${list}[0]`,
        'in which a star stands for anything and {namespace} for the namespace of the robot',
        'both',
      ),
    ),
  ),
  refused(
    'a ceiling of permissions with a star inside',
    registryIssuer({}, { limits: { permissions: ['Pull*'] } }),
    'spec.limits.permissions[0]',
    'supported values',
    'both',
  ),
];
