// What the tables of good and bad objects are made of.
import { botTokenKind } from '../../src/api/bot-token.ts';
import { botUserKind } from '../../src/api/bot-user.ts';
import { clusterTokenIssuerKind } from '../../src/api/cluster-token-issuer.ts';
import { apiVersion } from '../../src/api/names.ts';
import { revocationKind } from '../../src/api/revocation.ts';
import { robotAccountKind } from '../../src/api/robot-account.ts';

type Kind =
  | typeof botTokenKind
  | typeof botUserKind
  | typeof clusterTokenIssuerKind
  | typeof revocationKind
  | typeof robotAccountKind;

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

const registry = { service: 'registry.example.com', issuer: 'botmint', host: 'registry.example.com' };

export const registryIssuer = (of: object = {}, spec: object = {}) =>
  issuer({ jwt: undefined, registry: { ...registry, ...of }, ...spec });

const issuerRef = { kind: 'ClusterTokenIssuer', name: 'registry' };

/** A project robot. */
export const robot = (spec: object = {}, name = 'sample'): Good => ({
  says: '',
  kind: robotAccountKind,
  object: manifest('RobotAccount', name, { issuerRef, project: 'payments', expiresIn: '90d', ...spec }),
});

/** A robot of several projects. */
export const systemRobot = (...projects: object[]) => robot({ project: undefined, projects });

export const revocation = (spec: object = {}, name = 'sample'): Good => ({
  says: '',
  kind: revocationKind,
  object: manifest('Revocation', name, {
    owner: { kind: 'BotToken', namespace: 'team-a', name: 'deploy', uid: 'owner-uid' },
    clusterID: 'this-cluster',
    issuer: { kind: 'ClusterTokenIssuer', name: 'builtin', uid: 'issuer-uid', type: 'jwt' },
    credentials: [{ tokenID: 'owner-uid.1.x' }],
    ...spec,
  }),
});

function manifest(kind: string, name: string, spec: Record<string, unknown>): Manifest {
  return { apiVersion, kind, metadata: { name }, spec };
}

export const secret = (of: object) => token({ secret: of });
export const key = (of: object) => secret({ data: [{ key: 'BUF_TOKEN', template: '$(token)' }, of] });
export const data = (...entries: object[]) => ({ data: entries });
export const holder = { key: 'token', template: '$(token)' };
export const selector = (of: object) => issuer({ allowedNamespaces: { from: 'Selector', selector: of } });
export const url = (issuerURL: string) => issuer({ jwt: { ...jwt, issuerURL } });
/** What `format: date-time` alone lets through, and JavaScript does not read. */
export const noTimes = ['2026-01-01T00:00:00,5Z', '2026-01-01T00:00:00+24:00', '2026-01-01T00:00:00ZTrash'];
export const long = (length: number) => 'x'.repeat(length);

/** Completes a sample with what it is about. */
export function says(text: string, sample: Good): Good {
  return { ...sample, says: `${sample.object.kind}: ${text}` };
}

/** A sample that is refused, where, and with what words. */
export function refused(text: string, sample: Good, field: string, message: string, by: Bad['by']): Bad {
  return { ...says(text, sample), field, message, by };
}
