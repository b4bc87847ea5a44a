import * as z from 'zod';
import { dnsLabel, objectName } from './forms.ts';
import { ageColumn, defineKind, readyColumns } from './kind.ts';
import { objectFields, retry, statusFields, unseen } from './object.ts';
import { guarded, immutable, mapBy, text, time } from './schema.ts';

const uid = () => text({ max: 64 });

const owner = immutable(
  z.object({
    kind: z.enum(['BotToken', 'RobotAccount']).describe('Its kind.'),
    namespace: text({ max: 63, form: dnsLabel }).describe('The namespace that it was in.'),
    name: text({ max: 253, form: objectName }).describe('Its name.'),
    uid: uid().describe('Its UID. An object that has the name now is another one.'),
  }),
  'owner',
).describe('The object whose credentials are to be revoked. It may be gone, and its namespace with it. Immutable.');

const issuer = immutable(
  z.object({
    kind: z.enum(['ClusterTokenIssuer']).describe('Its kind.'),
    name: text({ max: 253, form: objectName }).describe('Its name.'),
    uid: uid().describe('Its UID. An issuer that has the name now is another one.'),
    type: z.enum(['jwt', 'registry']).describe('How it issues: by this is known how it revokes, also when it is gone.'),
  }),
  'issuer',
).describe('Who issued the credentials. Immutable.');

const credential = z
  .object({
    tokenID: text({ max: 253 }).describe('The id of the token (the claim `jti`). No secret.'),
    statusListIndex: z
      .int()
      .min(0)
      .exactOptional()
      .describe(
        'Where its status is in the lists of its issuer. Left out: the token is in none, and whoever introspects knows already that it is dead.',
      ),
  })
  .describe('One credential that is to be revoked.');

/** As many as several endings of one object leave behind: each has one in the Secret, one in the record and its predecessors. */
const mostCredentials = 64;

const credentials = guarded(mapBy('tokenID', credential, { max: mostCredentials }), {
  rule: 'oldSelf.all(old, old in self)',
  message: 'credentials may be added, none may be taken away or changed',
}).describe('What is to be revoked. More may be added, none is ever taken away.');

const spec = guarded(
  z.object({
    owner,
    clusterID: immutable(uid(), 'clusterID').describe(
      'The cluster that the credentials are of (`clusterID` in the ConfigMap `botmint`). Together with `owner` it is the mark that they carry at their issuer. A Revocation of another cluster is left alone. Immutable.',
    ),
    issuer,
    credentials,
    notAfter: time()
      .exactOptional()
      .describe(
        'When the last of the credentials has ended by itself; one hour later the Revocation goes, carried out or not. It may be put off, never brought forward. Left out: they never end.',
      ),
  }),
  {
    rule: '!has(self.notAfter) || (has(oldSelf.notAfter) && self.notAfter >= oldSelf.notAfter)',
    message: 'notAfter may be put off, never brought forward',
    fieldPath: '.notAfter',
  },
).describe('What is to be revoked, and where.');

/** Whatever a BotToken's retries know beside: there is one thing only that is tried here. */
const failedAttempts = z
  .object({ attempts: retry.shape.attempts, at: retry.shape.at, reason: retry.shape.reason })
  .describe('Present while attempts fail: when botmint tries again.');

const status = z
  .object({
    ...statusFields,
    revokedAt: time()
      .exactOptional()
      .describe('When the issuer had revoked everything. Five minutes later botmint looks once more.'),
    retry: failedAttempts.exactOptional(),
  })
  .describe('What botmint has seen and done. Only botmint writes it.');

/** A revocation that outlives the object it is for. Its name is made of the UIDs of object and issuer: there is one for each two. */
export const Revocation = z
  .object({ ...objectFields, spec, status: status.meta(unseen).exactOptional() })
  .describe(
    'A revocation that its issuer has not carried out yet, though the object with the credentials is gone. botmint makes it in its own namespace, tries until it is done, and deletes it. Nobody needs to write one.',
  );
export type Revocation = z.infer<typeof Revocation>;

export const revocationKind = defineKind<Revocation>({
  kind: 'Revocation',
  plural: 'revocations',
  namespaced: true,
  shortNames: ['rvk'],
  // `kubectl get botmint` is for users of namespaces, who may not read these: it would end in an error for them.
  inCategory: false,
  columns: [
    { name: 'Namespace', type: 'string', jsonPath: '.spec.owner.namespace' },
    { name: 'Owner', type: 'string', jsonPath: '.spec.owner.name' },
    { name: 'Issuer', type: 'string', jsonPath: '.spec.issuer.name' },
    ...readyColumns,
    { name: 'Next try', type: 'string', jsonPath: '.status.retry.at' },
    ageColumn,
  ],
  selectableFields: [],
  schema: Revocation,
});
