// Objects that are right and objects that are wrong, judged by the real API server (crds.cluster.test.ts) and, where it
// knows the rule, by zod (cases.test.ts).
import { botTokenKind } from '../../src/api/bot-token.ts';
import { botUserKind } from '../../src/api/bot-user.ts';
import { clusterTokenIssuerKind } from '../../src/api/cluster-token-issuer.ts';
import { apiVersion } from '../../src/api/names.ts';

type Kind = typeof botTokenKind | typeof botUserKind | typeof clusterTokenIssuerKind;

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: Record<string, unknown>;
}

export interface Good {
  says: string;
  kind: Kind;
  object: Manifest;
}

export interface Bad extends Good {
  /** The field that the answer names. */
  field: string;
  /** A part of the answer that a person needs. */
  message: string;
  /** What refuses it: rules about several fields, and those of Kubernetes' own, are the server's alone. */
  by: 'both' | 'server';
}

export const token = (spec: object = {}, name = 'sample'): Good => ({
  says: '',
  kind: botTokenKind,
  object: manifest('BotToken', name, { botUserRef: { name: 'ci' }, expiresIn: '90d', ...spec }),
});

export const bot = (spec: object = {}, name = 'sample'): Good => ({
  says: '',
  kind: botUserKind,
  object: manifest('BotUser', name, { ...spec }),
});

export const jwt = { issuerURL: 'https://tokens.example.com', audiences: ['https://api.example.com'] };

export const issuer = (spec: object = {}, name = 'sample'): Good => ({
  says: '',
  kind: clusterTokenIssuerKind,
  object: manifest('ClusterTokenIssuer', name, { jwt, ...spec }),
});

function manifest(kind: string, name: string, spec: Record<string, unknown>): Manifest {
  return { apiVersion, kind, metadata: { name }, spec };
}

const secret = (of: object) => token({ secret: of });
const key = (of: object) => secret({ data: [{ key: 'BUF_TOKEN', template: '$(token)' }, of] });
const data = (...entries: object[]) => ({ data: entries });
const holder = { key: 'token', template: '$(token)' };
const selector = (of: object) => issuer({ allowedNamespaces: { from: 'Selector', selector: of } });
const url = (issuerURL: string) => issuer({ jwt: { ...jwt, issuerURL } });
const long = (length: number) => 'x'.repeat(length);

export const good: readonly Good[] = [
  says('a token with nothing but what is required', token()),
  ...['1s', '10m', '1h', '90d', '12mo', '99999d', '999mo', 'never'].map(expiresIn =>
    says(`expiresIn: ${expiresIn}`, token({ expiresIn })),
  ),
  says('rotation with nothing in it', token({ rotation: {} })),
  says('rotation of ten minutes', token({ expiresIn: '10m', rotation: {} })),
  says('renewBefore of exactly half, in another unit', token({ expiresIn: '2d', rotation: { renewBefore: '24h' } })),
  says('revoked from the start', token({ revoked: true })),
  says('a label of 200 characters', token({ label: long(200) })),
  says('audiences and scopes', token({ audiences: ['https://a.example', 'b'], scopes: ['orders:read', 'a/b.c'] })),
  says(
    'every placeholder',
    secret(data({ key: 'all', template: '$(token) $(tokenID) $(username) $(expiresAt) $x $y (z)' })),
  ),
  says('a token inside of the ready-made JSON alone', secret(data({ key: 'token.json', format: 'JSON' }))),
  ...['.netrc', 'a', 'A_B-c.d', 'x..y', '_'].map(name => says(`key ${name}`, secret(data({ ...holder, key: name })))),
  says(
    'basic-auth with a password',
    secret({ type: 'kubernetes.io/basic-auth', ...data({ key: 'password', template: '$(token)' }) }),
  ),
  says(
    'dockerconfigjson',
    secret({
      type: 'kubernetes.io/dockerconfigjson',
      ...data({ key: '.dockerconfigjson', template: '{"auths":{"r.example":{"password":"$(token)"}}}' }),
    }),
  ),
  says(
    'labels',
    secret({ labels: { team: 'payments', 'example.com/tier': '', 'argocd.argoproj.io/secret-type': 'repository' } }),
  ),
  says('annotations', secret({ annotations: { 'example.com/note': 'anything at all, even: spaces' } })),
  says('a Secret name of several parts', secret({ name: 'a.b-c.d' })),
  says('a bot with nothing in its spec', bot()),
  says('a bot with a username', bot({ username: 'acme-ci' }, 'name.with.dots')),
  says(
    'a bot with identities',
    bot({
      identities: [
        { service: 'github', id: 'acme-ci' },
        { service: 'sap.s4', id: 'X/1@b' },
      ],
    }),
  ),
  says('an issuer that nobody may use yet', issuer()),
  ...[
    'https://t.example',
    'https://t.example:8443',
    'https://t.example/a/b.c',
    'https://10.0.0.1',
    'https://[::1]:8443/x',
  ].map(text => says(`issuerURL ${text}`, url(text))),
  says('an issuer for all', issuer({ allowedNamespaces: { from: 'All' } })),
  says('an issuer for namespaces by label', selector({ matchLabels: { 'kubernetes.io/metadata.name': 'default' } })),
  says(
    'an issuer for namespaces by expression',
    selector({
      matchExpressions: [
        { key: 'team', operator: 'In', values: ['a', 'b'] },
        { key: 'x/y', operator: 'Exists' },
      ],
    }),
  ),
  says(
    'ceilings',
    issuer({
      limits: {
        maxLifetime: '90d',
        scopes: ['*', 'orders:*', '{namespace}:*'],
        identities: ['*', 'github/acme-*', '*/*'],
      },
    }),
  ),
];

export const bad: readonly Bad[] = [
  ...['10x', '0d', '-1d', '', '1.5h', '1h30m', '100000s', '1000mo', '01d', 'Never', '1 d', '1D'].map(expiresIn =>
    refused(
      `expiresIn: ${JSON.stringify(expiresIn)}`,
      token({ expiresIn }),
      'spec.expiresIn',
      'one unit: s, m, h, d or mo (a month of 30 days), such as 90d',
      'both',
    ),
  ),
  refused('expiresIn left out', token({ expiresIn: undefined }), 'spec.expiresIn', 'Required value', 'both'),
  refused('expiresIn as a number', token({ expiresIn: 90 }), 'spec.expiresIn', 'must be of type string', 'both'),
  refused('no botUserRef', token({ botUserRef: undefined }), 'spec.botUserRef', 'Required value', 'both'),
  refused(
    'no name of an object',
    token({ botUserRef: { name: 'a..b' } }),
    'spec.botUserRef.name',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused('a label of 201 characters', token({ label: long(201) }), 'spec.label', '200', 'both'),
  refused('an audience with a space', token({ audiences: ['a b'] }), 'spec.audiences[0]', 'without spaces', 'both'),
  refused('no audience at all', token({ audiences: [] }), 'spec.audiences', 'at least 1', 'both'),
  refused('an audience twice', token({ audiences: ['a', 'a'] }), 'spec.audiences[1]', 'Duplicate value', 'server'),
  refused(
    'two scopes in one',
    token({ scopes: ['orders:read admin'] }),
    'spec.scopes[0]',
    'must be one OAuth scope',
    'both',
  ),
  refused(
    'rotation of what never ends',
    token({ expiresIn: 'never', rotation: {} }),
    'spec.rotation',
    'a token that never expires cannot be rotated',
    'server',
  ),
  refused(
    'rotation within ten minutes',
    token({ expiresIn: '599s', rotation: {} }),
    'spec.expiresIn',
    'at least 10m',
    'server',
  ),
  refused(
    'renewBefore above half',
    token({ expiresIn: '1mo', rotation: { renewBefore: '16d' } }),
    'spec.rotation.renewBefore',
    'at most half of expiresIn',
    'server',
  ),
  refused(
    'renewBefore: never',
    token({ rotation: { renewBefore: 'never' } }),
    'spec.rotation.renewBefore',
    'one unit',
    'both',
  ),
  refused(
    'a Secret name that is none',
    secret({ name: 'Up' }),
    'spec.secret.name',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused(
    'a service-account token as type',
    secret({ type: 'kubernetes.io/service-account-token' }),
    'spec.secret.type',
    'supported values: "Opaque"',
    'both',
  ),
  refused(
    'an unknown placeholder',
    secret(data({ key: 'a', template: '$(token):$(hots)' })),
    'spec.secret.data[0].template',
    'unknown placeholder $(hots); known are $(token), $(tokenID), $(username), $(expiresAt)',
    'server',
  ),
  refused(
    'a placeholder of a later version',
    key({ key: 'b', template: '$(host)' }),
    'spec.secret.data[1].template',
    'unknown placeholder $(host)',
    'server',
  ),
  refused(
    'a placeholder that is not closed',
    secret(data({ key: 'a', template: '$(token)$(token' })),
    'spec.secret.data[0].template',
    'unknown placeholder $(token;',
    'server',
  ),
  refused(
    'template and format',
    key({ key: 'b', template: 'x', format: 'JSON' }),
    'spec.secret.data[1]',
    'exactly one of template and format',
    'server',
  ),
  refused(
    'neither template nor format',
    key({ key: 'b' }),
    'spec.secret.data[1]',
    'exactly one of template and format',
    'server',
  ),
  refused(
    'a format of a later version',
    key({ key: 'b', format: 'Netrc' }),
    'spec.secret.data[1].format',
    'supported values: "JSON"',
    'both',
  ),
  ...['..a', '.', '..', 'a/b', 'a b', 'ä', ''].map(name =>
    refused(
      `key ${JSON.stringify(name)}`,
      key({ key: name, template: 'x' }),
      'spec.secret.data[1].key',
      'must be a key that a Secret can have',
      'both',
    ),
  ),
  refused('a key of 254 characters', key({ key: long(254), template: 'x' }), 'spec.secret.data[1].key', '253', 'both'),
  refused('a key twice', key({ key: 'BUF_TOKEN', template: 'x' }), 'spec.secret.data[1]', 'Duplicate value', 'server'),
  refused('no key at all', secret({ data: [] }), 'spec.secret.data', 'at least 1', 'both'),
  refused(
    'no key with the token',
    secret(data({ key: 'a', template: '$(tokenID)' })),
    'spec.secret.data',
    'no key holds the token',
    'server',
  ),
  refused(
    'basic-auth without its keys',
    secret({ type: 'kubernetes.io/basic-auth' }),
    'spec.secret.data',
    'needs the key username or password',
    'server',
  ),
  refused(
    'dockerconfigjson without its key',
    secret({ type: 'kubernetes.io/dockerconfigjson' }),
    'spec.secret.data',
    'needs the key .dockerconfigjson',
    'server',
  ),
  refused(
    'a label of botmint',
    secret({ labels: { 'botmint.dev/managed': 'x' } }),
    'spec.secret.labels',
    'botmint.dev/managed: the prefix is reserved',
    'server',
  ),
  refused(
    'a label of Kubernetes',
    secret({ labels: { 'app.kubernetes.io/name': 'x' } }),
    'spec.secret.labels',
    'app.kubernetes.io/name: the prefix is reserved',
    'server',
  ),
  refused(
    'an annotation of Argo CD',
    secret({ annotations: { 'argocd.argoproj.io/secret-type': 'x' } }),
    'spec.secret.annotations',
    'the prefix is reserved',
    'server',
  ),
  refused(
    'a label key that is none',
    secret({ labels: { '-team': 'x' } }),
    'spec.secret.labels',
    '-team: a key must be',
    'server',
  ),
  refused(
    'a label key with a long prefix',
    secret({ labels: { [`${long(254)}/a`]: 'x' } }),
    'spec.secret.labels',
    'a key must be',
    'server',
  ),
  refused(
    'a label value that is none',
    secret({ labels: { team: 'a b' } }),
    'spec.secret.labels[team]',
    'must be empty or at most 63',
    'both',
  ),
  refused(
    'a label value of 64 characters',
    secret({ labels: { team: long(64) } }),
    'spec.secret.labels.team',
    '63',
    'server',
  ),
  refused(
    'an annotation key that is none',
    secret({ annotations: { 'a/b/c': 'x' } }),
    'spec.secret.annotations',
    'a/b/c: a key must be',
    'server',
  ),
  refused('a field of nobody', token({ expiresAt: 'x' }), 'spec.expiresAt', 'unknown field', 'server'),

  ...['Acme', '-a', 'a_b', 'a.b', ''].map(username =>
    refused(
      `username ${JSON.stringify(username)}`,
      bot({ username }),
      'spec.username',
      'must be lower-case letters, digits and hyphens',
      'both',
    ),
  ),
  refused('a username of 64 characters', bot({ username: long(64) }), 'spec.username', '63', 'both'),
  refused(
    'an object whose name is no username',
    bot({}, 'name.with.dots'),
    'spec.username',
    'the name of the object cannot be a username',
    'server',
  ),
  refused(
    'an object whose name is too long for a username',
    bot({}, long(64)),
    'spec.username',
    'set spec.username',
    'server',
  ),
  refused(
    'a kind of issuer of a later version',
    bot({ issuerRef: { kind: 'TokenIssuer', name: 'x' } }),
    'spec.issuerRef.kind',
    'supported values: "ClusterTokenIssuer"',
    'both',
  ),
  refused('an issuer without kind', bot({ issuerRef: { name: 'x' } }), 'spec.issuerRef.kind', 'Required value', 'both'),
  refused(
    'a service with a slash',
    bot({ identities: [{ service: 'a/b', id: 'c' }] }),
    'spec.identities[0].service',
    'such as github',
    'both',
  ),
  refused(
    'an id with a space',
    bot({ identities: [{ service: 'a', id: 'b c' }] }),
    'spec.identities[0].id',
    'without spaces',
    'both',
  ),
  refused(
    'a service twice',
    bot({
      identities: [
        { service: 'a', id: 'b' },
        { service: 'a', id: 'c' },
      ],
    }),
    'spec.identities[1]',
    'Duplicate value',
    'server',
  ),
  refused('a description of 351 characters', bot({ description: long(351) }), 'spec.description', '350', 'both'),

  refused(
    'an issuer of no type',
    issuer({ jwt: undefined }),
    'spec',
    'exactly one type of issuer must be set, out of: jwt',
    'both',
  ),
  ...[
    'http://t.example',
    'https://t.example/',
    'https://t.example?x',
    'https://t.example#x',
    'https://me@t.example',
    'https://T.example',
    'https://',
    'https:///x',
    'https://t.example//x',
    'https://t.example/a b',
    'https://t.example/../x',
    'https://t.example:',
    't.example',
    ' https://t.example',
  ].map(text =>
    refused(
      `issuerURL ${JSON.stringify(text)}`,
      url(text),
      'spec.jwt.issuerURL',
      'must be an https URL with a lower-case host',
      'both',
    ),
  ),
  refused('no audiences', issuer({ jwt: { ...jwt, audiences: [] } }), 'spec.jwt.audiences', 'at least 1', 'both'),
  refused(
    'an audience that is empty',
    issuer({ jwt: { ...jwt, audiences: [''] } }),
    'spec.jwt.audiences[0]',
    'printable ASCII',
    'both',
  ),
  refused(
    'an algorithm that is none of ours',
    issuer({ jwt: { ...jwt, algorithm: 'HS256' } }),
    'spec.jwt.algorithm',
    'supported values: "ES256", "RS256", "EdDSA"',
    'both',
  ),
  refused(
    'Selector without selector',
    issuer({ allowedNamespaces: { from: 'Selector' } }),
    'spec.allowedNamespaces.selector',
    'selector goes with from: Selector',
    'server',
  ),
  refused(
    'All with a selector',
    issuer({ allowedNamespaces: { from: 'All', selector: {} } }),
    'spec.allowedNamespaces.selector',
    'selector goes with from: Selector',
    'server',
  ),
  refused(
    'In without values',
    selector({ matchExpressions: [{ key: 'a', operator: 'In' }] }),
    'spec.allowedNamespaces.selector.matchExpressions[0].values',
    'values go with the operators In and NotIn',
    'server',
  ),
  refused(
    'Exists with values',
    selector({ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] }),
    'spec.allowedNamespaces.selector.matchExpressions[0].values',
    'values go with',
    'server',
  ),
  refused(
    'an operator that is none',
    selector({ matchExpressions: [{ key: 'a', operator: 'Is' }] }),
    'spec.allowedNamespaces.selector.matchExpressions[0].operator',
    'supported values: "In"',
    'both',
  ),
  refused(
    'a selector for a label that cannot be',
    selector({ matchLabels: { 'a b': 'c' } }),
    'spec.allowedNamespaces.selector.matchLabels',
    'must be a name of at most 63',
    'server',
  ),
  refused(
    'a ceiling without an end',
    issuer({ limits: { maxLifetime: 'never' } }),
    'spec.limits.maxLifetime',
    'one unit',
    'both',
  ),
  refused(
    'a ceiling of scopes with a space',
    issuer({ limits: { scopes: ['a b'] } }),
    'spec.limits.scopes[0]',
    'must be one OAuth scope',
    'both',
  ),
  refused(
    'a ceiling of identities without service',
    issuer({ limits: { identities: ['acme-*'] } }),
    'spec.limits.identities[0]',
    'must be service/id',
    'both',
  ),
];

function says(text: string, sample: Good): Good {
  return { ...sample, says: `${sample.object.kind}: ${text}` };
}

function refused(text: string, sample: Good, field: string, message: string, by: Bad['by']): Bad {
  return { ...says(text, sample), field, message, by };
}
