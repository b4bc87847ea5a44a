import { type Bad, long, refused, token } from './sample.ts';

export const badTokens: readonly Bad[] = [
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
  refused('a field of nobody', token({ expiresAt: 'x' }), 'spec.expiresAt', 'unknown field', 'server'),
];
