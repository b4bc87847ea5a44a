// Revocations that are right and wrong: nobody writes them by hand, but a restored backup does.
import { type Bad, type Good, long, refused, revocation, says } from './sample.ts';

const credential = (tokenID: string) => ({ tokenID });

export const goodRevocations: readonly Good[] = [
  says('with an end', revocation({ notAfter: '2027-01-30T00:00:00Z' })),
  says('without an end', revocation()),
  says('of 64 credentials', revocation({ credentials: Array.from({ length: 64 }, (_, n) => credential(`t.${n}`)) })),
];

export const badRevocations: readonly Bad[] = [
  refused(
    'an owner of a kind that has no credentials',
    revocation({ owner: { kind: 'Pod', namespace: 'a', name: 'b', uid: 'c' } }),
    'spec.owner.kind',
    'supported values: "BotToken", "RobotAccount"',
    'both',
  ),
  refused(
    'an owner whose namespace is none',
    revocation({ owner: { kind: 'BotToken', namespace: 'A', name: 'b', uid: 'c' } }),
    'spec.owner.namespace',
    'must be lower-case letters, digits and hyphens',
    'both',
  ),
  refused(
    'an owner whose name is none',
    revocation({ owner: { kind: 'BotToken', namespace: 'a', name: 'B', uid: 'c' } }),
    'spec.owner.name',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused(
    'an issuer of a type that nobody knows',
    revocation({ issuer: { kind: 'ClusterTokenIssuer', name: 'a', uid: 'b', type: 'magic' } }),
    'spec.issuer.type',
    'supported values: "jwt", "registry"',
    'both',
  ),
  refused(
    'an issuer whose name is none',
    revocation({ issuer: { kind: 'ClusterTokenIssuer', name: 'A', uid: 'b', type: 'jwt' } }),
    'spec.issuer.name',
    'must be the name of a Kubernetes object',
    'both',
  ),
  refused('no credentials', revocation({ credentials: undefined }), 'spec.credentials', 'Required value', 'both'),
  refused(
    'a credential twice',
    revocation({ credentials: [credential('a'), credential('a')] }),
    'spec.credentials[1]',
    'Duplicate value',
    'server',
  ),
  refused(
    '65 credentials',
    revocation({ credentials: Array.from({ length: 65 }, (_, n) => credential(`t.${n}`)) }),
    'spec.credentials',
    '64',
    'both',
  ),
  refused(
    'a token id of 254 characters',
    revocation({ credentials: [credential(long(254))] }),
    'spec.credentials[0].tokenID',
    '253',
    'both',
  ),
];
