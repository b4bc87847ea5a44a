import * as z from 'zod';
import { celIsLabelKey, labelKey, labelValue, objectName, secretKey } from './forms.ts';
import { defaultSecretKey } from './names.ts';
import { celMatches, guarded, mapBy, type Rule, text } from './schema.ts';

/** What templates may hold, and what stands there in the Secret. */
export const placeholders = {
  '$(token)': 'the token',
  '$(tokenID)': 'its id, which is no secret',
  '$(username)': "the bot's username",
  '$(expiresAt)': 'its end as RFC 3339, empty when there is none',
} as const;

const known = `[${Object.keys(placeholders)
  .map(name => `'${name}'`)
  .join(', ')}]`;
// Without the closing parenthesis as well, so that `$(token` is a slip that is found and not a text.
const found = "self.findAll('[$][(][^)$ ]{0,40}[)]?')";

const template = guarded(z.string().max(4096), {
  rule: `${found}.all(p, p in ${known})`,
  message: `may hold the placeholders ${Object.keys(placeholders).join(', ')} and no others`,
  messageExpression: `'unknown placeholder ' + ${found}.filter(p, !(p in ${known}))[0] + '; known are ${Object.keys(placeholders).join(', ')}'`,
}).describe(
  `The text of this key, in which ${Object.entries(placeholders)
    .map(([name, meaning]) => `\`${name}\` is ${meaning}`)
    .join('; ')}. No newline is added. Example: \`machine example.com login $(username) password $(token)\`.`,
);

const entry = guarded(
  z.object({
    key: text({ max: 253, form: secretKey }).describe(
      'The key in the Secret, such as `BUF_TOKEN`: the name of the environment variable or file.',
    ),
    template: template.exactOptional(),
    format: z
      .enum(['JSON'])
      .exactOptional()
      .describe(
        'A ready-made text instead of a template. JSON: an object with `creation_time`, `expires_at` (Unix seconds, -1 for never), `id`, `name` and `secret`.',
      ),
  }),
  { rule: 'has(self.template) != has(self.format)', message: 'exactly one of template and format must be set' },
).describe('One key of the Secret and what it holds.');

const data = guarded(mapBy('key', entry, { min: 1, max: 16 }), {
  rule: "self.exists(e, has(e.format) || (has(e.template) && e.template.contains('$(token)')))",
  message: 'no key holds the token: at least one needs $(token) in its template, or a format',
}).describe(`What the Secret holds. All keys are written at once. Left out: \`${defaultSecretKey}\` with the token.`);

/** The Secret types that hold what a person writes; any other could make the API server or a controller act on it. */
const types = ['Opaque', 'kubernetes.io/basic-auth', 'kubernetes.io/dockerconfigjson'] as const;
const type = guarded(z.enum(types), {
  rule: 'self == oldSelf',
  message: 'the type of a Secret is immutable, as it is in Kubernetes: make a new BotToken',
}).describe('The type of the Secret. Immutable. Left out: `Opaque`.');

const reserved = /^([a-z0-9.-]*[.])?(kubernetes[.]io|k8s[.]io|botmint[.]dev|argoproj[.]io|toolkit[.]fluxcd[.]io)\//;

/** The message of the CRD names the key; the sentence for the reference page says which there are. */
function notReserved(permitted?: string): Rule {
  const exception = permitted === undefined ? '' : ` && k != '${permitted}'`;
  const isReserved = `(${celMatches('k', reserved)}${exception})`;
  return {
    rule: `!self.exists(k, ${isReserved})`,
    message: `prefixes of Kubernetes, Argo CD, Flux and botmint are reserved${permitted === undefined ? '' : `, ${permitted} apart`}`,
    messageExpression: `self.filter(k, ${isReserved})[0] + ': the prefix is reserved for Kubernetes, Argo CD, Flux or botmint'`,
  };
}

const validKeys: Rule = {
  rule: `self.all(k, ${celIsLabelKey('k')})`,
  message: `each key ${labelKey.says}`,
  messageExpression: `self.filter(k, !${celIsLabelKey('k')})[0] + ': a key ${labelKey.says}'`,
};

const labels = guarded(
  z.record(z.string(), text({ max: 63, form: labelValue })).meta({ maxProperties: 32 }),
  validKeys,
  // Argo CD reads its credentials from Secrets with this label: to be one of them is what its user wants.
  notReserved('argocd.argoproj.io/secret-type'),
).describe('Labels of the Secret, such as `team: payments`. Taken away here, they are taken away there.');

const annotations = guarded(
  z.record(z.string(), z.string().max(1024)).meta({ maxProperties: 32 }),
  validKeys,
  notReserved(),
).describe("Annotations of the Secret, beside botmint's own.");

/** What a Secret of a type must hold for the API server to take it. */
const keysOfTypes: readonly Rule[] = [
  {
    rule: "self.type != 'kubernetes.io/dockerconfigjson' || self.data.exists(e, e.key == '.dockerconfigjson')",
    message: 'a Secret of type kubernetes.io/dockerconfigjson needs the key .dockerconfigjson',
    fieldPath: '.data',
  },
  {
    rule: "self.type != 'kubernetes.io/basic-auth' || self.data.exists(e, e.key in ['username', 'password'])",
    message: 'a Secret of type kubernetes.io/basic-auth needs the key username or password',
    fieldPath: '.data',
  },
];

const defaults = { type: 'Opaque' as const, data: [{ key: defaultSecretKey, template: '$(token)' }] };

const secret = guarded(
  z.object({
    name: text({ max: 253, form: objectName })
      .exactOptional()
      .describe(
        'The name of the Secret, in the namespace of this object. A Secret of that name that is not from botmint is never touched. Immutable. Left out: the name of this object.',
      ),
    type: type.default(defaults.type),
    data: data.default(defaults.data),
    labels: labels.exactOptional(),
    annotations: annotations.exactOptional(),
    onLost: z
      .enum(['Reissue', 'Stall'])
      .exactOptional()
      .describe(
        'What happens when the Secret was deleted or its data edited by somebody else. Reissue: a new credential is written, and the lost one works on for the overlap. Stall: nothing is written until somebody restores the Secret, changes this field or asks for a new credential by the annotation `botmint.dev/rotate` or `botmint.dev/replace`. Left out: Reissue.',
      ),
  }),
  ...keysOfTypes,
).describe(
  `The Secret that the token is written to, in one write. It is deleted when the token is revoked, and stays when the token expires. Left out: a Secret with the name of this object and the key \`${defaultSecretKey}\`.`,
);

/** The Secret that a credential is written to. The API server checks a default against the rules before it fills it in, so this one is whole. */
export const SecretTemplate = secret.default(defaults);
export type SecretTemplate = z.infer<typeof SecretTemplate>;
export type SecretType = SecretTemplate['type'];
export type SecretEntry = SecretTemplate['data'][number];
