import * as z from 'zod';
import { celIsDuration, celSeconds, duration } from './durations.ts';
import { project, registryHost, registryWord, robotPrefix } from './forms.ts';
import { guarded, immutable, setOf, text } from './schema.ts';

const anonymous = z
  .object({
    projects: setOf(text({ max: 255, form: project }).describe('A project.'), { max: 64 })
      .exactOptional()
      .describe('Projects that everybody may pull from, also without logging in. Left out: none.'),
  })
  .describe('What nobody has to log in for. Left out: nothing.');

/** The fields of an issuer of type `registry`. */
export const RegistryIssuer = guarded(
  z.object({
    service: text({ max: 253, form: registryWord })
      .min(1)
      .describe(
        'What the registry calls itself (`auth.token.service` in its configuration), such as `registry.example.com`. A request for another service gets no token.',
      ),
    issuer: text({ max: 253, form: registryWord })
      .min(1)
      .describe(
        'What botmint calls itself in tokens (`auth.token.issuer` in the configuration of the registry), such as `botmint`.',
      ),
    host: text({ max: 253, form: registryHost })
      .min(1)
      .describe(
        'The host of the registry as it stands in image references, if need be with a port, such as `registry.example.com:5000`. Image pull secrets are for it.',
      ),
    robotPrefix: immutable(text({ max: 32, form: robotPrefix }).min(1), 'robotPrefix')
      .default('robot_')
      .describe(
        'What the full name of each robot begins with: `robot_<project>+<name>`, and `robot_<name>` for one of several projects. Immutable. Left out: `robot_`.',
      ),
    tokenLifetime: duration()
      .default('5m')
      .describe(
        'How long the registry lets in whoever has logged in before it asks again, such as `5m`; at least `60s`, at most `24h`. So long, and a minute more, somebody keeps access who may not log in any more. Left out: `5m`.',
      ),
    anonymous: anonymous.exactOptional(),
  }),
  {
    rule: `!${celIsDuration('self.tokenLifetime')} || ${celSeconds('self.tokenLifetime')} >= 60`,
    message: 'tokenLifetime must be at least 60s: clients expect to use a token that long',
    fieldPath: '.tokenLifetime',
  },
  {
    rule: `!${celIsDuration('self.tokenLifetime')} || ${celSeconds('self.tokenLifetime')} <= ${24 * 3600}`,
    message: 'tokenLifetime must be at most 24h: nothing ends a token before its time',
    fieldPath: '.tokenLifetime',
  },
).describe(
  'The robot accounts of a CNCF distribution registry: botmint is its token server, and the registry trusts what botmint signs.',
);
