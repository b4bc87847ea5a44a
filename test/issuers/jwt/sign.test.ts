import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import type { TokenInputs } from '../../../src/api/inputs.ts';
import { parseSubject, subjectOf } from '../../../src/issuers/jwt/claims.ts';
import { type Algorithm, generateSigningKey, importSigningKey } from '../../../src/issuers/jwt/keys.ts';
import { signBotToken } from '../../../src/issuers/jwt/sign.ts';
import { inputs, issuerURL, recordedID, tokenUID, userUID } from './healthy.ts';

const token = { namespace: 'team-a', name: 'deploy', uid: tokenUID };

async function signed(change: Partial<TokenInputs> = {}, algorithm: Algorithm = 'ES256') {
  const made = await generateSigningKey(algorithm);
  const { key } = await importSigningKey(made.privateKey, algorithm);
  const jwt = await signBotToken(key, { issuerURL, tokenID: recordedID, token, inputs: { ...inputs, ...change } });
  return { jwt, keys: createLocalJWKSet({ keys: [made.publicJWK] }), kid: made.kid };
}

describe('a bot token', () => {
  test.each<Algorithm>(['ES256', 'RS256', 'EdDSA'])('signed with %s verifies with plain jose', async algorithm => {
    const { jwt, keys, kid } = await signed({}, algorithm);
    const { protectedHeader } = await jwtVerify(jwt.reveal(), keys, {
      algorithms: [algorithm],
      typ: 'bot+jwt',
      issuer: issuerURL,
      audience: 'https://buf.example.com',
      currentDate: new Date('2026-12-01T00:00:00Z'),
    });
    expect(protectedHeader).toEqual({ alg: algorithm, kid, typ: 'bot+jwt' });
  });

  test('says who it is, what it may do, and where its objects are', async () => {
    const { jwt } = await signed();
    expect(decodeJwt(jwt.reveal())).toEqual({
      iss: issuerURL,
      sub: 'bot:team-a:ci-bot',
      aud: 'https://buf.example.com',
      iat: 1793491200,
      exp: 1801267200,
      jti: recordedID,
      status: { status_list: { idx: 40961, uri: `${issuerURL}/status/1706643705` } },
      identities: [{ service: 'github', id: 'acme-ci' }],
      scope: 'modules:read modules:write',
      'botmint.dev': { ...token, botUser: { name: 'ci', uid: userUID } },
    });
  });

  test('has its namespace from the BotUser, not from the BotToken', async () => {
    const { jwt } = await signed({ botUser: { namespace: 'bots', name: 'ci', uid: userUID } });
    expect(decodeJwt(jwt.reveal())).toMatchObject({ sub: 'bot:bots:ci-bot', 'botmint.dev': { namespace: 'team-a' } });
  });

  test('with several audiences lists them', async () => {
    const { jwt } = await signed({ audiences: ['a', 'b'] });
    expect(decodeJwt(jwt.reveal()).aud).toEqual(['a', 'b']);
  });

  test('without scopes and identities lacks both claims', async () => {
    const { jwt } = await signed({ scopes: [], identities: [] });
    expect(Object.keys(decodeJwt(jwt.reveal()))).toEqual([
      'iss',
      'sub',
      'aud',
      'iat',
      'exp',
      'jti',
      'status',
      'botmint.dev',
    ]);
  });

  test('carries of an identity what relying parties know, nothing else that an input may hold', async () => {
    const { jwt } = await signed({ identities: [{ service: 'github', id: 'acme-ci', note: 'internal' }] });
    expect(decodeJwt(jwt.reveal()).identities).toEqual([{ service: 'github', id: 'acme-ci' }]);
  });

  test('has no end when never was asked for', async () => {
    const { expiresAt: _, ...endless } = inputs;
    const made = await generateSigningKey('ES256');
    const { key } = await importSigningKey(made.privateKey, 'ES256');
    const jwt = await signBotToken(key, {
      issuerURL,
      tokenID: recordedID,
      token,
      inputs: { ...endless, expiresIn: 'never' },
    });
    expect(decodeJwt(jwt.reveal())).not.toHaveProperty('exp');
    await expect(signBotToken(key, { issuerURL, tokenID: recordedID, token, inputs: endless })).rejects.toThrow(
      'lack its end',
    );
  });

  test('with an end that cannot be read is not signed', async () => {
    await expect(signed({ expiresAt: 'in a while' })).rejects.toThrow('not RFC 3339');
  });

  test('does not print', async () => {
    const { jwt } = await signed();
    expect(String(jwt)).toBe('[redacted]');
    expect(decodeProtectedHeader(jwt.reveal())).toHaveProperty('kid');
  });
});

test.each([
  [{ namespace: 'team-a', username: 'ci-bot' }, 'bot:team-a:ci-bot'],
  [{ namespace: 'team-a', username: 'a:b' }, 'bot:team-a:a:b'],
])('the subject of %j is %s, and back', (bot, subject) => {
  expect(subjectOf(bot)).toBe(subject);
  expect(parseSubject(subject)).toEqual(bot);
});
test.each(['', 'ci', 'bot:a', 'bot::b', 'bot:a:', 'user:a:b'])('%j is no subject', subject =>
  expect(parseSubject(subject)).toBeUndefined(),
);
