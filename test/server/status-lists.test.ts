import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { SigningKeyInvalid } from '../../src/issuers/jwt/keys.ts';
import { StatusList } from '../../src/issuers/jwt/status-list.ts';
import { issuer, issuerURL, later, publishing } from '../issuers/jwt/healthy.ts';
import { type Served, serve } from './endpoints-world.ts';

const path = '/issuers/builtin/status/7';
const get = (url = path, headers: Record<string, string> = {}) => ({ method: 'GET' as const, url, headers });
const lstOf = (...revoked: number[]) =>
  StatusList.of('VALID')
    .with(revoked.map(index => [index, 'INVALID']))
    .encode();

/** One list of the healthy issuer, in which one token is revoked. */
async function served(...revoked: number[]): Promise<Served> {
  const list = { issuerUID: issuer.metadata.uid, lst: lstOf(...revoked) };
  return serve({ lists: new Map([[7, list]]) });
}

const Claims = z.looseObject({ status_list: z.object({ bits: z.literal(2), lst: z.string() }) });

/** What a relying party makes of an answer. */
async function verified({ app, world }: Served, jwt: string): Promise<StatusList> {
  const keys = (await app.inject(get('/issuers/builtin/jwks'))).json<JSONWebKeySet>();
  const { payload } = await jwtVerify(jwt, createLocalJWKSet(keys), {
    typ: 'statuslist+jwt',
    subject: `${issuerURL}/status/7`,
    currentDate: world.now,
  });
  return StatusList.decode(Claims.parse(payload).status_list.lst);
}

describe('a status list', () => {
  test('is a signed token that a relying party can verify and read', async () => {
    const it = await served(3);
    const response = await it.app.inject(get());
    expect(response.headers).toMatchObject({
      'content-type': 'application/statuslist+jwt',
      'cache-control': 'public, max-age=60',
      'access-control-allow-origin': '*',
    });
    const list = await verified(it, response.body);
    expect([list.at(2), list.at(3)]).toEqual(['VALID', 'INVALID']);
    const { iat, exp, ttl } = decodeJwt(response.body);
    expect([Number(exp) - Number(iat), ttl]).toEqual([12 * 3600, 60]);
  });

  test('is served under the issuerURL as well, and nowhere under another issuer', async () => {
    const it = await served();
    it.world.cached.issuers.push({ ...issuer, metadata: { ...issuer.metadata, name: 'other', uid: 'other' } });
    expect((await it.app.inject(get('/status/7'))).statusCode).toBe(200);
    expect((await it.app.inject(get('/issuers/other/status/7'))).statusCode).toBe(404);
    expect((await it.app.inject(get('/issuers/builtin/status/8'))).statusCode).toBe(404);
  });

  test('is signed once, however many ask at once', async () => {
    const it = await served();
    const answers = await Promise.all(Array.from({ length: 50 }, () => it.app.inject(get())));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    await it.app.inject(get());
    expect(it.world.asked).toEqual(['signing key']);
  });

  test('is confirmed by its ETag until it changes', async () => {
    const it = await served();
    const { headers } = await it.app.inject(get());
    const again = await it.app.inject(get(path, { 'if-none-match': String(headers.etag) }));
    expect([again.statusCode, again.body, again.headers['cache-control']]).toEqual([304, '', 'public, max-age=60']);
    expect(String(headers.etag)).toMatch(/^"/);
    it.world.lists.set(7, { issuerUID: issuer.metadata.uid, lst: lstOf(5) });
    const changed = await it.app.inject(get(path, { 'if-none-match': String(headers.etag) }));
    expect(changed.statusCode).toBe(200);
    expect((await verified(it, changed.body)).at(5)).toBe('INVALID');
  });

  test('is signed anew in good time, after a clock was put back, and under another key', async () => {
    const it = await served();
    const at = async (time: string) => {
      it.world.now = new Date(time);
      return (await it.app.inject(get())).body;
    };
    const first = await at(later(0));
    expect(await at(later(6 * 3600 - 1))).toBe(first);
    const second = await at(later(6 * 3600));
    expect(second).not.toBe(first);
    const third = await at(later(0));
    expect(third).not.toBe(second);
    it.world.cached.issuers = [publishing([{ ...it.publicJWK, kid: 'another' }])];
    expect(await at(later(0))).not.toBe(third);
  });

  test('answers HEAD, and refuses what is no reading', async () => {
    const it = await served();
    const head = await it.app.inject({ method: 'HEAD', url: path });
    expect([head.statusCode, head.body]).toEqual([200, '']);
    for (const method of ['POST', 'PUT', 'DELETE'] as const) {
      const refused = await it.app.inject({ method, url: path });
      expect([refused.statusCode, refused.headers.allow]).toEqual([405, 'GET, HEAD']);
    }
  });

  test('says nothing of the past', async () => {
    const it = await served();
    expect((await it.app.inject(get(`${path}?time=1700000000`))).statusCode).toBe(501);
    expect((await it.app.inject(get(`${path}?other=1`))).statusCode).toBe(200);
  });

  test('that somebody edited, that cannot be signed, or from a cache that is too old is no answer', async () => {
    const it = await served();
    const status = async () => {
      const response = await it.app.inject(get());
      expect(response.headers['cache-control']).toBe('no-store');
      return response.statusCode;
    };
    it.world.outage = new SigningKeyInvalid('gone');
    expect(await status()).toBe(503);
    it.world.outage = undefined;
    it.world.lists.set(7, 'unreadable');
    expect(await status()).toBe(503);
    it.world.lists.delete(7);
    expect(await status()).toBe(404);
    it.world.cachesAge = 15_001;
    expect(await status()).toBe(503);
  });
});

test('all lists of an issuer are named in one place', async () => {
  const it = await served();
  it.world.lists.set(3, { issuerUID: issuer.metadata.uid, lst: lstOf() });
  it.world.lists.set(4, { issuerUID: 'other', lst: lstOf() });
  const response = await it.app.inject(get('/issuers/builtin/status'));
  expect(response.json()).toEqual({ status_lists: [`${issuerURL}/status/3`, `${issuerURL}/status/7`] });
  expect(response.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'public, max-age=60' });
});
