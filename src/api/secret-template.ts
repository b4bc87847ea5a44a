import * as z from 'zod';
import { celIsLabelKey, labelKey, labelValue, objectName, secretKey } from './forms.ts';
import { acceptLabelPrefix, defaultSecretKey } from './names.ts';
import { selector } from './namespace-selection.ts';
import { celMatches, guarded, mapBy, type Rule, setOf, text } from './schema.ts';

/** What a kind calls what stands in its Secret, and what its Secret is when nothing is said of it. */
export interface SecretWording {
  /** The kind itself: what is made anew when something immutable has to change. */
  kind: string;
  /** `token`, or `secret`. */
  noun: string;
  /** What `$(username)` shows. */
  username: string;
  /** Why a placeholder or format that names a host may be refused. */
  host: string;
}

/** What templates may hold. */
const placeholders = ['$(token)', '$(tokenID)', '$(username)', '$(host)', '$(expiresAt)'] as const;

/** Ready-made texts for one key of a Secret. */
export const formats = ['Netrc', 'Npmrc', 'DockerConfigJSON', 'JSON'] as const;

const known = `[${placeholders.map(name => `'${name}'`).join(', ')}]`;
// Without the closing parenthesis as well, so that `$(token` is a slip that is found and not a text.
const found = "self.findAll('[$][(][^)$ ]{0,40}[)]?')";

function template({ noun, username, host }: SecretWording) {
  return guarded(z.string().max(4096), {
    rule: `${found}.all(p, p in ${known})`,
    message: `may hold the placeholders ${placeholders.join(', ')} and no others`,
    messageExpression: `'unknown placeholder ' + ${found}.filter(p, !(p in ${known}))[0] + '; known are ${placeholders.join(', ')}'`,
  }).describe(
    `The text of this key, in which \`$(token)\` is the ${noun}; \`$(tokenID)\` is its id, which is no secret; \`$(username)\` is ${username}; \`$(host)\` is the host that it is for (${host}); \`$(expiresAt)\` is its end as RFC 3339, empty when there is none. No newline is added. Example: \`machine example.com login $(username) password $(token)\`.`,
  );
}

function entry(wording: SecretWording) {
  return guarded(
    z.object({
      key: text({ max: 253, form: secretKey }).describe(
        'The key in the Secret, such as `BUF_TOKEN`: the name of the environment variable or file.',
      ),
      template: template(wording).exactOptional(),
      format: z
        .enum(formats)
        .exactOptional()
        .describe(
          `A ready-made text instead of a template. DockerConfigJSON: what image pull secrets hold. Netrc and Npmrc: the files of these names, for curl, git and npm. These three name the host (${wording.host}). JSON: an object with \`creation_time\`, \`expires_at\` (Unix seconds, -1 for never), \`id\`, \`name\` and \`secret\`.`,
        ),
    }),
    { rule: 'has(self.template) != has(self.format)', message: 'exactly one of template and format must be set' },
  ).describe('One key of the Secret and what it holds.');
}

function dataOf(wording: SecretWording, leftOut: string) {
  return guarded(mapBy('key', entry(wording), { min: 1, max: 16 }), {
    rule: "self.exists(e, has(e.format) || (has(e.template) && e.template.contains('$(token)')))",
    message: `no key holds the ${wording.noun}: at least one needs $(token) in its template, or a format`,
  }).describe(`What the Secret holds. All keys are written at once. Left out: ${leftOut}.`);
}

/** The Secret types that hold what a person writes; any other could make the API server or a controller act on it. */
const types = ['Opaque', 'kubernetes.io/basic-auth', 'kubernetes.io/dockerconfigjson'] as const;
export type SecretType = (typeof types)[number];

function typeOf({ kind }: SecretWording, leftOut: SecretType) {
  return guarded(z.enum(types), {
    rule: 'self == oldSelf',
    message: `the type of a Secret is immutable, as it is in Kubernetes: make a new ${kind}`,
  })
    .describe(`The type of the Secret. Immutable. Left out: \`${leftOut}\`.`)
    .default(leftOut);
}

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

/** CEL for a text that may be a JSON object. */
function isObject(text: string): string {
  return `${text}.trim().startsWith('{') && ${text}.trim().endsWith('}')`;
}

/** What a Secret of a type must hold for the API server to take it. */
const keysOfTypes: readonly Rule[] = [
  {
    rule: "self.type != 'kubernetes.io/dockerconfigjson' || self.data.exists(e, e.key == '.dockerconfigjson')",
    message:
      'a Secret of type kubernetes.io/dockerconfigjson needs the key .dockerconfigjson: add it, or set another type',
    fieldPath: '.data',
  },
  {
    // As near as CEL gets: what is no object is refused with each write of the Secret, for ever.
    rule: `self.type != 'kubernetes.io/dockerconfigjson' || self.data.all(e, e.key != '.dockerconfigjson' || (has(e.format) && e.format == 'DockerConfigJSON') || (has(e.template) && ${isObject('e.template')}))`,
    message:
      'the key .dockerconfigjson of such a Secret holds a JSON object: set format: DockerConfigJSON, or a template that begins with { and ends with }',
    fieldPath: '.data',
  },
  {
    rule: "self.type != 'kubernetes.io/basic-auth' || self.data.exists(e, e.key in ['username', 'password'])",
    message: 'a Secret of type kubernetes.io/basic-auth needs the key username or password',
    fieldPath: '.data',
  },
];

const serviceAccount = text({ max: 253, form: objectName }).describe(
  'The name of a ServiceAccount, such as `default`.',
);

const copies = z
  .object({
    namespaceSelector: selector.describe(
      `Which namespaces, by their labels; an empty one selects all. Each must agree as well, by the label \`${acceptLabelPrefix}/<namespace of this object>: "true"\`.`,
    ),
    imagePullSecretsOf: setOf(serviceAccount, { max: 16 })
      .exactOptional()
      .describe(
        'ServiceAccounts in those namespaces whose pods pull images with the copy: its name is added to their `imagePullSecrets`, and taken out again with the copy. One that does not exist yet is served when it does. Left out: none.',
      ),
  })
  .describe(
    'Other namespaces that get a copy of the Secret, under the same name. Every copy follows a rotation before the old credential ends. A copy is deleted when the selector or the label of its namespace says so no more, and with this object. Left out: none.',
  );

/** Pods pull images with no Secrets of other types (only an older one, which is not among them). */
const pullSecrets: Rule = {
  rule: "!has(self.copies) || !has(self.copies.imagePullSecretsOf) || self.copies.imagePullSecretsOf.size() == 0 || self.type == 'kubernetes.io/dockerconfigjson'",
  message: 'pods pull images with Secrets of type kubernetes.io/dockerconfigjson only',
  fieldPath: '.copies.imagePullSecretsOf',
};

const onLost = z
  .enum(['Reissue', 'Stall'])
  .exactOptional()
  .describe(
    'What happens when the Secret was deleted or its data edited by somebody else. Reissue: a new credential is written, and the lost one works on for the overlap. Stall: nothing is written until somebody restores the Secret, changes this field or asks for a new credential by the annotation `botmint.dev/rotate` or `botmint.dev/replace`. Left out: Reissue.',
  );

/** The fields of `spec.secret`, of every kind. */
export function secretFields(wording: SecretWording, leftOut: { type: SecretType; data: string }) {
  return {
    name: text({ max: 253, form: objectName })
      .exactOptional()
      .describe(
        'The name of the Secret, in the namespace of this object. A Secret of that name that is not from botmint is never touched. Immutable. Left out: the name of this object.',
      ),
    type: typeOf(wording, leftOut.type),
    data: dataOf(wording, leftOut.data),
    labels: labels.exactOptional(),
    annotations: annotations.exactOptional(),
    onLost,
    copies: copies.exactOptional(),
  };
}

/** What the fields of `spec.secret` must have to do with one another. */
export const secretRules: readonly Rule[] = [...keysOfTypes, pullSecrets];

const ofToken: SecretWording = {
  kind: 'BotToken',
  noun: 'token',
  username: "the bot's username",
  host: 'an issuer of type jwt has none',
};
const tokenData = [{ key: defaultSecretKey, template: '$(token)' }];
const tokenFields = secretFields(ofToken, { type: 'Opaque', data: `\`${defaultSecretKey}\` with the token` });

/** The Secret that a token is written to. The API server checks a default against the rules before it fills it in, so this one is whole. */
export const SecretTemplate = guarded(
  z.object({ ...tokenFields, data: tokenFields.data.default(tokenData) }),
  ...secretRules,
)
  .describe(
    `The Secret that the token is written to, in one write. It is deleted when the token is revoked, and stays when the token expires. Left out: a Secret with the name of this object and the key \`${defaultSecretKey}\`.`,
  )
  .default({ type: 'Opaque', data: tokenData });
export type SecretTemplate = z.infer<typeof SecretTemplate>;
