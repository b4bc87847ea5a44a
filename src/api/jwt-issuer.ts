import * as z from 'zod';
import { celIsDuration, celSeconds, duration } from './durations.ts';
import { audience, issuerURL } from './forms.ts';
import { guarded, immutable, setOf, text } from './schema.ts';

const fields = z
  .object({
    issuerURL: immutable(text({ max: 512, form: issuerURL }), 'issuerURL').describe(
      'The claim `iss` of every token, under which relying parties look for `/.well-known/openid-configuration`. Unique in the cluster. Immutable. Example: `https://tokens.example.com`.',
    ),
    audiences: setOf(text({ max: 512, form: audience }).describe('One audience, such as `https://api.example.com`.'), {
      min: 1,
      max: 32,
    }).describe('The audiences that tokens may have. A BotToken that names none has the first.'),
    algorithm: z
      .enum(['ES256', 'RS256', 'EdDSA'])
      .default('ES256')
      .describe('How tokens are signed. RS256 makes long tokens, but everything can verify them. Left out: `ES256`.'),
    keyRotation: duration()
      .default('90d')
      .describe(
        'How long a key signs before the next one takes over, such as `90d`. Tokens that it signed stay valid: it is published until the last of them has ended. Left out: `90d`.',
      ),
    keyActivationDelay: duration()
      .default('20m')
      .describe(
        'How long a key is published before it signs, such as `20m`; at least `10s`, and shorter than `keyRotation`. Relying parties may keep the keys for half of it, and for 5 minutes at most. Left out: `20m`.',
      ),
  })
  .describe('JSON Web Tokens, signed by botmint itself and verified with the keys that it publishes.');

const [rotation, delay] = ['self.keyRotation', 'self.keyActivationDelay'];
const durations = `${celIsDuration(rotation)} && ${celIsDuration(delay)}`;
/** The fields of an issuer of type `jwt`. */
export const JWTIssuer = guarded(
  fields,
  {
    rule: `!(${durations}) || ${celSeconds(delay)} < ${celSeconds(rotation)}`,
    message: 'keyActivationDelay must be shorter than keyRotation: a key is published that long before it signs',
    fieldPath: '.keyActivationDelay',
  },
  {
    rule: `!${celIsDuration(delay)} || ${celSeconds(delay)} >= 10`,
    message: 'keyActivationDelay must be at least 10s: relying parties have to hear of a key before it signs',
    fieldPath: '.keyActivationDelay',
  },
);
