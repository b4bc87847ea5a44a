import * as z from 'zod';
import { credentialStatus, previousFields } from './credentialed.ts';
import { statusFields } from './object.ts';
import { mapBy, setOf, time } from './schema.ts';

const previous = z
  .object({
    ...previousFields('secret'),
    revision: z.int().exactOptional().describe('Its revision, for which the verifier was made.'),
    verifier: z
      .string()
      .max(256)
      .exactOptional()
      .describe("What it is checked by: a hash under botmint's key, from which nobody gets the secret."),
  })
  .describe('A secret that was superseded and still works.');

// In a status words are not closed: another version may have written them.
const word = z.string().max(63).describe('One permission.');

const inForce = z
  .object({
    project: z.string().max(255).describe('The project, or `*` for every project.'),
    permissions: setOf(word, { max: 64 }).describe('What the robot may do in it.'),
    defaulted: z
      .boolean()
      .exactOptional()
      .describe('Present when the spec names none: a later version, which may know more, gives no more than these.'),
  })
  .describe('The permissions in one project.');

/** `status` of a RobotAccount. */
export const RobotStatus = z
  .object({
    ...statusFields,
    id: z
      .int()
      .exactOptional()
      .describe('The number of the robot at its issuer. Never given twice; numbers may be left out.'),
    fullName: z
      .string()
      .max(512)
      .exactOptional()
      .describe('The name that the robot logs in with, as its issuer says it, such as `robot_payments+ci`.'),
    createdAt: time().exactOptional().describe('When the robot was made at its issuer.'),
    enabled: z
      .boolean()
      .exactOptional()
      .describe(
        'Whether `spec.disabled` lets the robot log in. It says nothing about its end, for which there is `expiresAt`.',
      ),
    permissions: mapBy('project', inForce, { max: 100 })
      .exactOptional()
      .describe('The permissions in force, by project.'),
    withoutEffect: setOf(word, { max: 64 })
      .exactOptional()
      .describe('Those among them that mean nothing at this issuer: a plain registry has neither labels nor scans.'),
    lastUsed: time()
      .exactOptional()
      .describe('When the robot was last given access. Written once a day at most. Absent: never, as far as is known.'),
    ...credentialStatus('secret', {
      tokenID: 'The id of the secret in the Secret. It tells secrets apart and is none.',
      previous,
    }),
  })
  .describe('What botmint has seen and done. Only botmint writes it.');
