import { expect, test } from 'vitest';
import { SecretValue } from '../../src/base/secret-value.ts';
import { withoutValues } from '../../src/controllers/secret-writes.ts';
import { KubeError } from '../../src/kube/errors.ts';

const data = new Map([['.dockerconfigjson', new SecretValue('Own-secret-99')]]);
const encoded = Buffer.from('Own-secret-99').toString('base64');

function told(message: string): string {
  const retry = { kind: 'backoff' } as const;
  return withoutValues(new KubeError({ status: 422, reason: 'Invalid', message, retry }), data).message;
}

test.each([
  [
    `Secret "ci" is invalid: data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": invalid character 'O' looking for beginning of value`,
  ],
  [`Secret "ci" is invalid: [data[.dockerconfigjson]: Invalid value: "O", data[other]: Invalid value: "O"]`],
  ['Secret "ci" is invalid: data[.dockerconfigjson]: Invalid value:\nO'],
])('what the API server says of the data is not repeated, only of which key: %j', message => {
  const words = told(message);
  expect(words).toMatch(/^Secret "ci" is invalid: .*data\[\.dockerconfigjson\]/);
  expect(words).not.toMatch(/'O'|"O"|\nO|invalid character|Invalid value/);
});

test('a value that is quoted anywhere else is cut out, as text and in base64', () => {
  expect(told(`denied: Own-secret-99 and ${encoded} are not wanted`)).toBe(
    'denied: [redacted] and [redacted] are not wanted',
  );
});

test('other words stay as they are', () => {
  const words = 'secrets "ci" is forbidden: exceeded quota: secrets, metadata[x]: limited';
  expect(told(words)).toBe(words);
});
