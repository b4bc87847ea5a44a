import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretValue } from '../../src/base/secret-value.ts';
import { type Credential, type Entry, namesHost, readBack, render } from '../../src/decide/secret-data.ts';

const credential: Credential = {
  token: new SecretValue('eyJ.abc.def'),
  tokenID: 'uid.3.nonce',
  username: 'ci-bot',
  issuedAt: '2026-11-01T00:00:00Z',
  expiresAt: '2027-01-30T00:00:00Z',
};
const { expiresAt: _, ...endless } = credential;

function rendered(entries: readonly Entry[], of: Credential = credential): Record<string, string> {
  return Object.fromEntries([...render(entries, of)].map(([key, value]) => [key, value.reveal()]));
}

describe('an entry', () => {
  test.each<[string, string]>([
    ['$(token)', 'eyJ.abc.def'],
    ['machine x login $(username) password $(token)', 'machine x login ci-bot password eyJ.abc.def'],
    ['$(tokenID) until $(expiresAt)', 'uid.3.nonce until 2027-01-30T00:00:00Z'],
    ['$(token)$(token)', 'eyJ.abc.defeyJ.abc.def'],
    ['$token $$(username) $(other)', '$token $ci-bot $(other)'],
    ['', ''],
    ['a\n', 'a\n'],
  ])('of the template %j holds %j', (template, text) =>
    expect(rendered([{ key: 'k', template }])).toEqual({ k: text }),
  );

  test('holds no end for a credential without one', () => {
    expect(rendered([{ key: 'k', template: '[$(expiresAt)]' }], endless)).toEqual({ k: '[]' });
  });

  test.each<[string, string]>([
    [
      'DockerConfigJSON',
      '{"auths":{"r.example.com:5000":{"username":"ci-bot","password":"eyJ.abc.def","auth":"Y2ktYm90OmV5Si5hYmMuZGVm"}}}',
    ],
    ['Netrc', 'machine r.example.com login ci-bot password eyJ.abc.def'],
    ['Npmrc', '//r.example.com:5000/:_authToken=eyJ.abc.def'],
  ])('of the format %s holds %j', (format, text) => {
    const of = { ...credential, host: 'r.example.com:5000' };
    expect(rendered([{ key: 'k', format }], of)).toEqual({ k: text });
    expect(readBack([{ key: 'k', format }], render([{ key: 'k', format }], of), of)?.reveal()).toBe('eyJ.abc.def');
  });

  test('names a host where it shows one', () => {
    const entries: Entry[] = [
      { key: 'a', format: 'Netrc' },
      { key: 'b', template: '$(token)@$(host)' },
      { key: 'c', format: 'JSON' },
      { key: 'd', template: '$(token)' },
    ];
    expect(entries.filter(namesHost).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  test('of the format JSON has the number of a robot', () => {
    expect(rendered([{ key: 'k', format: 'JSON' }], { ...credential, id: 17 }).k).toContain('"id":17,');
  });

  test('of the format JSON says since when there is a robot, which is older than its secret', () => {
    const of = { ...credential, id: 17, createdAt: '2026-06-01T00:00:00Z' };
    expect(rendered([{ key: 'k', format: 'JSON' }], of).k).toContain('"creation_time":"2026-06-01T00:00:00Z",');
  });

  test('of the format JSON is the export file of a robot account, to the byte', () => {
    const json =
      '{"creation_time":"2026-11-01T00:00:00Z","expires_at":1801267200,"id":"uid.3.nonce","name":"ci-bot","secret":"eyJ.abc.def"}';
    expect(rendered([{ key: 'k', format: 'JSON' }])).toEqual({ k: json });
    expect(new Date(1801267200 * 1000).toISOString()).toBe('2027-01-30T00:00:00.000Z');
    expect(rendered([{ key: 'k', format: 'JSON' }], endless).k).toContain('"expires_at":-1,');
  });
});

describe('the credential', () => {
  const pieces = fc.constantFrom(
    '$(token)',
    '$(tokenID)',
    '$(username)',
    '$(expiresAt)',
    '$',
    '(',
    'x',
    '\n',
    'ü',
    '.',
  );
  const template = fc.array(pieces, { maxLength: 6 }).map(parts => parts.join(''));
  const entry: fc.Arbitrary<Entry> = fc.oneof(
    template.map(text => ({ key: 'k', template: text })),
    fc.constant({ key: 'k', format: 'JSON' }),
  );
  const holding: fc.Arbitrary<Entry> = fc.oneof(
    fc.tuple(template, template).map(([a, b]) => ({ key: 'held', template: `${a}$(token)${b}` })),
    fc.constant({ key: 'held', format: 'JSON' }),
  );
  const token = fc.stringMatching(/^[\w.-]{1,40}$/).map(text => new SecretValue(text));

  test('is read back out of whatever it was rendered into', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 3 }), holding, token, fc.boolean(), (others, held, secret, ends) => {
        const of = { ...(ends ? credential : endless), token: secret };
        const entries = [...others.map((other, n) => ({ ...other, key: `k${n}` })), held];
        expect(readBack(entries, render(entries, of), of)?.reveal()).toBe(secret.reveal());
      }),
    );
  });

  test.each<[string, Entry, string | undefined]>([
    ['an entry without its text around it', { key: 'k', template: 'Bearer $(token)' }, 'eyJ.abc.def'],
    ['an entry with two that differ', { key: 'k', template: '$(token) $(token)' }, 'eyJ.abc eyJ.def'],
    ['an entry that never held it', { key: 'k', template: '$(username)' }, 'ci-bot'],
    ['an entry that is empty', { key: 'k', template: '$(token)' }, ''],
    ['an entry that is gone', { key: 'k', template: '$(token)' }, undefined],
    ['an export file that is none', { key: 'k', format: 'JSON' }, 'null'],
    ['an export file without it', { key: 'k', format: 'JSON' }, '{"secret":1}'],
  ])('is not found in %s', (_, held, value) => {
    const data = new Map(value === undefined ? [] : [['k', new SecretValue(value)]]);
    expect(readBack([held], data, credential)).toBeUndefined();
  });

  test('is found in the next entry when somebody broke the first', () => {
    const entries = [
      { key: 'a', template: 'Bearer $(token)' },
      { key: 'b', format: 'JSON' },
    ];
    const data = new Map([...render(entries, credential), ['a', new SecretValue('broken')]]);
    expect(readBack(entries, data, credential)?.reveal()).toBe('eyJ.abc.def');
  });
});
