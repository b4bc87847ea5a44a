import * as z from 'zod';
import { JWTIssuer } from './jwt-issuer.ts';
import { ageColumn, defineKind, readyColumns } from './kind.ts';
import { limitLists, limits } from './limits.ts';
import { NamespaceSelection } from './namespace-selection.ts';
import { objectFields, statusFields, unseen } from './object.ts';
import { RegistryIssuer } from './registry-issuer.ts';
import { guarded, mapBy, opaque, type Rule, setOf, time } from './schema.ts';

/**
 * The types of issuers: the schema of each, and the lists of `limits` that mean something for it. A new type is a new
 * entry: the fields, "exactly one of", what is immutable and what does not go together follow from this table.
 */
export const issuerTypes = {
  jwt: { schema: JWTIssuer, limits: ['scopes', 'identities'] },
  registry: { schema: RegistryIssuer, limits: ['usernames', 'projects', 'permissions'] },
} as const satisfies IssuerTypes;

export interface IssuerType {
  schema: z.ZodObject;
  limits: readonly (keyof typeof limitLists)[];
}
export type IssuerTypes = Readonly<Record<string, IssuerType>>;

/** What the CRD and zod hold for a table of types. */
export function issuerSpec(table: IssuerTypes): z.ZodType {
  const names = Object.keys(table);
  const branches = Object.entries(table).map(([name, { schema }]) => [name, schema.exactOptional()]);
  const spec = z
    .object({
      ...Object.fromEntries(branches),
      allowedNamespaces: NamespaceSelection.default({ from: 'None' }),
      limits: limits.default({}),
    })
    .refine(value => names.filter(name => value[name] !== undefined).length === 1, exactlyOne(names));
  return guarded(spec, ...typeRules(names), ...limitRules(table)).describe(
    'Exactly one type, and who may use it for what.',
  );
}

function exactlyOne(names: readonly string[]): string {
  return `exactly one type of issuer must be set, out of: ${names.join(', ')}`;
}

function typeRules(names: readonly string[]): Rule[] {
  const present = names.map(name => `has(self.${name})`);
  return [
    { rule: `[${present.join(', ')}].exists_one(t, t)`, message: exactlyOne(names) },
    {
      rule: names.map(name => `has(self.${name}) == has(oldSelf.${name})`).join(' && '),
      message: 'the type of an issuer is immutable: make a new issuer',
    },
  ];
}

function limitRules(table: IssuerTypes): Rule[] {
  return Object.keys(limitLists).flatMap(list => {
    const foreign = Object.entries(table).filter(([, type]) => !type.limits.some(name => name === list));
    return foreign.map(([name]) => ({
      rule: `!has(self.limits.${list}) || !has(self.${name})`,
      message: `limits.${list} means nothing for an issuer of type ${name}`,
      fieldPath: `.limits.${list}`,
    }));
  });
}

/** One branch for each type, in which the others are absent. */
type OneOf<Table extends IssuerTypes> = {
  [Name in keyof Table]: { [Own in Name]: z.infer<Table[Own]['schema']> } & {
    [Other in Exclude<keyof Table, Name>]?: never;
  };
}[keyof Table];

type IssuerSpec = OneOf<typeof issuerTypes> & {
  allowedNamespaces: NamespaceSelection;
  limits: z.infer<typeof limits>;
};

const key = z
  .object({
    kid: z
      .string()
      .max(128)
      .describe('The id of the key (its RFC 7638 thumbprint): the `kid` in the header of a token.'),
    publicJWK: opaque().describe('The public half as a JSON Web Key.'),
    state: z
      .enum(['Active', 'Next', 'Retired'])
      .describe('Active: it signs. Next: it takes over later. Retired: tokens that it signed still verify.'),
    since: time().describe('When it came into this state.'),
    secretName: z.string().max(253).describe("The Secret with the private half, in botmint's namespace."),
  })
  .describe('One signing key. What stands here is what relying parties are served.');

/** So many keys at most are published. */
export const mostKeys = 32;

const withdrawnKey = z
  .object({
    kid: key.shape.kid.describe('The id that the key had; for type `registry` the SHA-256 fingerprint of the CA.'),
    since: time().describe('When it was stopped.'),
    secretName: key.shape.secretName.describe('The Secret that held the private half.'),
  })
  .describe('A key that was stopped for good.');

/** So many withdrawn keys are remembered. */
export const mostWithdrawnKeys = 64;

const status = z
  .object({
    ...statusFields,
    keys: mapBy('kid', key, { max: mostKeys })
      .exactOptional()
      .describe('The signing keys. A key signs only after it stands here.'),
    withdrawnKeys: mapBy('kid', withdrawnKey, { max: mostWithdrawnKeys })
      .exactOptional()
      .describe(
        'Keys, or CAs of type `registry`, that the annotation `botmint.dev/retire-key` stopped: they are not published any more and never come back. Each token of a BotToken that one of them signed is replaced.',
      ),
    rootCertBundle: z
      .string()
      .max(32_768)
      .exactOptional()
      .describe(
        'Type `registry`: the certificates (PEM) by which a registry verifies tokens. It belongs into the file that `auth.token.rootcertbundle` in the configuration of the registry names, which is read only when the registry starts. It changes years before the old certificates end.',
      ),
    rootCertFingerprints: setOf(z.string().max(64), { max: 16 })
      .exactOptional()
      .describe(
        'The SHA-256 fingerprints (64 hex digits) of the certificates in `rootCertBundle`, in its order. The annotation `botmint.dev/retire-key` with one of them takes that CA out, at once and for good.',
      ),
  })
  .describe('What botmint has seen and done. Only botmint writes it.');

/** Where credentials come from. */
export const ClusterTokenIssuer = z
  .object({
    ...objectFields,
    // TypeScript cannot follow the table through zod; that exactly one branch is there is refined above.
    spec: issuerSpec(issuerTypes) as z.ZodType<IssuerSpec>,
    status: status.meta(unseen).exactOptional(),
  })
  .describe(
    'Where the credentials of bots come from, for the namespaces that it allows. An issuer that is being deleted stays until nothing depends on it.',
  );
export type ClusterTokenIssuer = z.infer<typeof ClusterTokenIssuer>;

export type IssuerTypeName = keyof typeof issuerTypes;

/** An issuer of that type. */
export type IssuerOf<Name extends IssuerTypeName> = Omit<ClusterTokenIssuer, 'spec'> & {
  spec: Extract<IssuerSpec, { [Own in Name]: object }>;
};

/** Whether an issuer is of that type. */
export function isOfType<Name extends IssuerTypeName>(
  issuer: ClusterTokenIssuer,
  name: Name,
): issuer is IssuerOf<Name> {
  return issuer.spec[name] !== undefined;
}

export const clusterTokenIssuerKind = defineKind<ClusterTokenIssuer>({
  kind: 'ClusterTokenIssuer',
  plural: 'clustertokenissuers',
  namespaced: false,
  shortNames: ['cti'],
  columns: [
    ...readyColumns,
    { name: 'Host', type: 'string', jsonPath: '.spec.registry.host', wide: true },
    { name: 'Service', type: 'string', jsonPath: '.spec.registry.service', wide: true },
    ageColumn,
  ],
  selectableFields: [],
  schema: ClusterTokenIssuer,
});
