import { type Bad, bot, long, noTimes, refused } from './sample.ts';

export const badBots: readonly Bad[] = [
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
  refused(
    'an issuer whose name is none',
    bot({ issuerRef: { kind: 'ClusterTokenIssuer', name: 'A' } }),
    'spec.issuerRef.name',
    'must be the name of a Kubernetes object',
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
  refused('notAfter without a zone', bot({ notAfter: '2027-06-30T00:00:00' }), 'spec.notAfter', 'date-time', 'both'),
  refused('notAfter as a life', bot({ notAfter: '90d' }), 'spec.notAfter', 'date-time', 'both'),
  ...noTimes.map(notAfter => refused(`notAfter ${notAfter}`, bot({ notAfter }), 'spec.notAfter', '[Zz]', 'both')),
  refused(
    'allowedNamespaces by nothing',
    bot({ allowedNamespaces: { from: 'Selector' } }),
    'spec.allowedNamespaces.selector',
    'selector goes with from: Selector, and only with it',
    'server',
  ),
  refused(
    'allowedNamespaces: None',
    bot({ allowedNamespaces: { from: 'None' } }),
    'spec.allowedNamespaces.from',
    'supported values: "Same", "All", "Selector"',
    'both',
  ),
  refused('disabled as a text', bot({ disabled: 'true' }), 'spec.disabled', 'must be of type boolean', 'both'),
  refused('a description of 351 characters', bot({ description: long(351) }), 'spec.description', '350', 'both'),
];
