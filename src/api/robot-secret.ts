import * as z from 'zod';
import { objectName, secretKey } from './forms.ts';
import { dockerConfigKey } from './names.ts';
import { guarded, text } from './schema.ts';
import { type SecretWording, secretFields, secretRules } from './secret-template.ts';

const wording: SecretWording = {
  kind: 'RobotAccount',
  noun: 'secret',
  username: 'the full name of the robot',
  host: "the issuer's `host`",
};

const type = 'kubernetes.io/dockerconfigjson' as const;
const data = [{ key: dockerConfigKey, format: 'DockerConfigJSON' as const }];
const fields = secretFields(wording, { type, data: `\`${dockerConfigKey}\`, with which pods pull images` });

const valueFrom = z
  .object({
    secretKeyRef: z
      .object({
        name: text({ max: 253, form: objectName }).describe('The name of the Secret.'),
        key: text({ max: 253, form: secretKey }).describe('The key in it.'),
      })
      .describe('A key of a Secret in the namespace of this object. It may be made later: the robot waits.'),
  })
  .describe(
    'Bring your own secret instead of a generated one: 8 to 20 characters with an upper-case letter, a lower-case letter and a digit. Another value there replaces the secret of the robot; when it is gone, the robot keeps the one that it has. It must not be the Secret that botmint writes. Left out: 32 characters from a strong source, beginning with `bmr_`.',
  );

/** The Secret that a robot's secret is written to, and where that comes from. */
export const RobotSecret = guarded(
  z.object({ ...fields, data: fields.data.default(data), valueFrom: valueFrom.exactOptional() }),
  ...secretRules,
)
  .describe(
    `The Secret that the robot's name and secret are written to, in one write. It is deleted with the robot, and stays when the robot expires. Left out: an image pull secret with the name of this object.`,
  )
  .default({ type, data });
