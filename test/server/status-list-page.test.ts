import { readFileSync } from 'node:fs';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { expect, test } from 'vitest';
import { StatusList } from '../../src/issuers/jwt/status-list.ts';
import { issuer, issuerURL } from '../issuers/jwt/healthy.ts';
import { serve } from './endpoints-world.ts';

const page = readFileSync(new URL('../../docs/reference/status-list.md', import.meta.url), 'utf8');
const [header, claims] = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(([, text]) => JSON.parse(text ?? ''));

test('the example of the page is what is served', async () => {
  const list = { issuerUID: issuer.metadata.uid, lst: StatusList.of('VALID').encode() };
  const { app, key } = await serve({ lists: new Map([[1706643705, list]]), now: new Date(claims.iat * 1000) });
  const { body } = await app.inject({ method: 'GET', url: new URL(`${issuerURL}/status/1706643705`).pathname });
  expect(decodeProtectedHeader(body)).toEqual({ ...header, kid: key.kid });
  const { status_list, ...served } = decodeJwt(body);
  const { status_list: shown, ...rest } = claims;
  expect(served).toEqual(rest);
  expect(status_list).toMatchObject({ bits: shown.bits });
  expect(StatusList.decode(shown.lst).equals(StatusList.of('VALID'))).toBe(true);
});
