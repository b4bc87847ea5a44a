import { readFileSync } from 'node:fs';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { timestamp } from '../../../src/api/conditions.ts';
import type { TokenInputs } from '../../../src/api/inputs.ts';
import { generateSigningKey, importSigningKey } from '../../../src/issuers/jwt/keys.ts';
import { signBotToken } from '../../../src/issuers/jwt/sign.ts';
import { inputs, issuerURL, recordedID, tokenUID } from './healthy.ts';

// The page is read as its readers do: what it shows must be what is issued, and what it says to run must run.
const page = readFileSync(new URL('../../../docs/reference/token.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(match => match[1] ?? '');

async function issue(change: Partial<TokenInputs> = {}) {
  const made = await generateSigningKey('ES256');
  const { key } = await importSigningKey(made.privateKey, 'ES256');
  const token = { namespace: 'team-a', name: 'deploy', uid: tokenUID };
  const jwt = await signBotToken(key, { issuerURL, tokenID: recordedID, token, inputs: { ...inputs, ...change } });
  return { jwt: jwt.reveal(), kid: made.kid, keys: createLocalJWKSet({ keys: [made.publicJWK] }) };
}

test('the example is what is issued', async () => {
  const { jwt, kid } = await issue();
  const [header, claims] = blocks('json');
  expect({ ...JSON.parse(header ?? ''), kid }).toEqual(decodeProtectedHeader(jwt));
  expect(JSON.parse(claims ?? '')).toEqual(decodeJwt(jwt));
});

test('the table explains each claim, and no other, with where it is from', async () => {
  const rows = page.split('## Claims')[1]?.split('## Verifying')[0] ?? '';
  const explained = [
    ...rows.matchAll(/^\| `([^`]+)` \|.*\| (RFC \d+ section [\d.]+|\[status list\]\(status-list.md\)|botmint) \|$/gm),
  ].map(row => row[1]);
  expect(explained).toEqual(Object.keys(decodeJwt((await issue()).jwt)));
});

/** Runs the page's code, with the key set of a test in the place of a network. */
async function verifyAsThePageSays(token: string, keys: ReturnType<typeof createLocalJWKSet>) {
  const [code = ''] = blocks('js');
  const fetched: string[] = [];
  const remote = (url: URL) => {
    fetched.push(url.href);
    return keys;
  };
  const body = `${code.replace(/^import .*$/m, '')}\nreturn payload;`;
  const AsyncFunction = Object.getPrototypeOf(issue).constructor;
  const run: (...values: unknown[]) => Promise<unknown> = new AsyncFunction(
    'token',
    'createRemoteJWKSet',
    'jwtVerify',
    body,
  );
  return { payload: await run(token, remote, jwtVerify), fetched };
}

test('the code verifies a token, and refuses one for somebody else or past its end', async () => {
  const at = (seconds: number) => timestamp(new Date(Date.now() + seconds * 1000));
  const fresh = { issuedAt: at(-60), expiresAt: at(60) };
  const good = await issue(fresh);
  const { payload, fetched } = await verifyAsThePageSays(good.jwt, good.keys);
  expect(payload).toMatchObject({ sub: 'bot:team-a:ci-bot' });
  expect(fetched).toEqual([`${issuerURL}/jwks`]);
  for (const change of [{ audiences: ['https://api.example.com'] }, { expiresAt: at(-1) }]) {
    const bad = await issue({ ...fresh, ...change });
    await expect(verifyAsThePageSays(bad.jwt, bad.keys)).rejects.toThrow();
  }
});
