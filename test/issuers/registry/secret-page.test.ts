import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SecretValue } from '../../../src/base/secret-value.ts';
import {
  brokenRules,
  generateSecret,
  isGeneratedSecret,
  secretPattern,
} from '../../../src/issuers/registry/secrets.ts';
import { Verifiers } from '../../../src/issuers/registry/verifiers.ts';

// The page is read as its readers do: what it shows must be what is made, and what it says to run must run.
const page = readFileSync(new URL('../../../docs/reference/robot-secret.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language, text = '']) => ({ language, text }));
const [example, pattern, code] = blocks.map(({ text }) => text.trim());

test('the example is a secret, and the pattern is the one', () => {
  expect(isGeneratedSecret(example ?? '')).toBe(true);
  expect(pattern).toBe(secretPattern);
});

test('the code of the page knows our secrets, and no others', async () => {
  const module = await import(`data:text/javascript,${encodeURIComponent(code ?? '')}`);
  for (let i = 0; i < 100; i++) {
    const text = generateSecret().reveal();
    expect(module.isRobotSecret(text)).toBe(true);
    expect(module.isRobotSecret(text.slice(0, -1) + (text.endsWith('0') ? '1' : '0'))).toBe(false);
  }
});

test('the rules of own secrets are those of the page', () => {
  expect(page).toContain('8 to 20 characters');
  expect(brokenRules(new SecretValue(`Aa1${'x'.repeat(5)}`))).toEqual([]);
  expect(brokenRules(new SecretValue(`Aa1${'x'.repeat(4)}`))).toHaveLength(1);
  expect(brokenRules(new SecretValue(`Aa1${'x'.repeat(17)}`))).toEqual([]);
  expect(brokenRules(new SecretValue(`Aa1${'x'.repeat(18)}`))).toHaveLength(1);
});

test('the methods are those of the page', async () => {
  const verifiers = new Verifiers(new Map([[1, new SecretValue('k')]]));
  const subject = { uid: 'u', revision: 1 };
  const made = [
    verifiers.ofGenerated(subject, generateSecret()),
    await verifiers.ofOwn(subject, new SecretValue('Passw0rd')),
  ];
  const methods = [...page.matchAll(/^\| `([\w-]+)` \| .* of |^\| `(hmac)`/gm)].map(([, a, b]) => a ?? b);
  expect(made.map(verifier => verifier.split('.')[2])).toEqual(methods);
});
