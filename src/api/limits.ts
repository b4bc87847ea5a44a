import * as z from 'zod';
import { duration } from './durations.ts';
import { identityGlob, nameGlob, scopeGlob } from './forms.ts';
import { permissions } from './permissions.ts';
import { setOf, text } from './schema.ts';

/** The lists of `limits`. Each goes with the types of issuers that name it. */
export const limitLists = {
  usernames: setOf(text({ max: 253, form: nameGlob }).describe('A name, such as `{namespace}.*`.'), { max: 64 })
    .exactOptional()
    .describe(
      'The names that RobotAccounts may have (`spec.name`, without prefix and project); `*` stands for anything, `{namespace}` for the namespace of the RobotAccount. `["*"]` allows all. Left out: none.',
    ),
  projects: setOf(text({ max: 255, form: nameGlob }).describe('A project, such as `{namespace}` or `shop-*`.'), {
    max: 64,
  })
    .exactOptional()
    .describe(
      'The projects that RobotAccounts may be for; `*` stands for anything, `{namespace}` for the namespace of the RobotAccount. `["*"]` allows all, and only it allows a robot for every project. Left out: none.',
    ),
  permissions: setOf(z.enum([...permissions, '*']).describe('A permission, or `*` for all.'), {
    max: permissions.length + 1,
  })
    .exactOptional()
    .describe('The permissions that RobotAccounts may have. `["*"]` allows all. Left out: none.'),
  scopes: setOf(
    text({ max: 253, form: scopeGlob }).describe('A scope, in which a star stands for anything, such as `orders:*`.'),
    { max: 64 },
  )
    .exactOptional()
    .describe(
      'The scopes that BotTokens may ask for; `*` stands for anything, `{namespace}` for the namespace of the BotUser. `["*"]` allows all. Left out: none.',
    ),
  identities: setOf(text({ max: 320, form: identityGlob }).describe('`service/id`, such as `github/acme-*`.'), {
    max: 64,
  })
    .exactOptional()
    .describe(
      'The identities that BotUsers may claim, as `service/id`; `*` stands for anything, `{namespace}` for the namespace of the BotUser. `["*"]` allows all. Left out: none.',
    ),
};

/** `spec.limits` of an issuer. */
export const limits = z
  .object({
    maxLifetime: duration()
      .exactOptional()
      .describe(
        'The longest `expiresIn` that is served, such as `90d`; `never` is then refused too. Left out: no ceiling.',
      ),
    ...limitLists,
  })
  .describe(
    'What no consumer can exceed. A wish above it is refused and nothing is issued. Lowered later, it revokes nothing: it is asked at the next issue.',
  );
