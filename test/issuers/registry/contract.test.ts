import type { RobotInputs } from '../../../src/api/inputs.ts';
import { inputsAnnotation, ownerUIDAnnotation, revisionAnnotation } from '../../../src/api/names.ts';
import type { RobotAccount } from '../../../src/api/robot-account.ts';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { accountOf } from '../../../src/issuers/registry/live.ts';
import { LogIns } from '../../../src/issuers/registry/log-ins.ts';
import { generateSecret } from '../../../src/issuers/registry/secrets.ts';
import { Verifiers } from '../../../src/issuers/registry/verifiers.ts';
import { inputs, registry, served, uid } from '../../decide/robots.ts';
import { holdToContract, type Minted, type Situation } from '../contract.ts';

interface Made {
  secret: SecretValue;
  verifier: string;
}

const verifiers = new Verifiers(new Map([[1, new SecretValue('k'.repeat(32))]]), async secret =>
  Buffer.from(secret.reveal()),
);
const logIns = new LogIns(verifiers);
const noLimit = { take: () => undefined, giveBack: () => undefined };

function inputsOf({ made: { verifier } }: Minted<Made>): RobotInputs {
  return { ...inputs, robot: { ...inputs.robot, verifier } };
}

function robotSeen({ object, principal, recorded, previous = [] }: Situation<Made>, now: Date): RobotAccount {
  const { issued, revision: _, ...status } = served.status ?? {};
  const superseded = previous.map(({ revision, made: { verifier }, until }) => ({
    tokenID: `${uid}.${revision}.n`,
    revokeAt: until.toISOString(),
    revision,
    verifier,
  }));
  const record = recorded && { revision: recorded.revision, issued: { ...issued, inputs: inputsOf(recorded) } };
  const bars = { disabled: { disabled: true }, ended: { notAfter: now.toISOString() } };
  return {
    ...served,
    metadata: {
      ...served.metadata,
      ...(object === 'another' && { uid: 'another' }),
      ...(object === 'deleting' && { deletionTimestamp: now.toISOString() }),
    },
    spec: { ...served.spec, ...(principal && bars[principal]) },
    status: { ...status, ...record, previous: superseded } as NonNullable<RobotAccount['status']>,
  };
}

function secretSeen({ inSecret }: Situation<Made>) {
  if (inSecret === undefined) return undefined;
  const annotations = {
    [ownerUIDAnnotation]: inSecret.owner ?? uid,
    [revisionAnnotation]: String(inSecret.revision),
    [inputsAnnotation]: JSON.stringify(inputsOf(inSecret)),
  };
  return { metadata: { annotations } };
}

holdToContract<Made>('registry', async () => ({
  mint: async revision => {
    const secret = generateSecret();
    return { revision, made: { secret, verifier: verifiers.ofGenerated({ uid, revision }, secret) } };
  },
  admits: async ({ made: { secret } }, seen, now) => {
    if (seen.issuer === 'gone') return false; // the endpoint answers that there is none of the name
    const issuerUID = seen.issuer === 'another' ? 'another' : registry.metadata.uid;
    const account =
      seen.object === 'gone' ? undefined : accountOf(robotSeen(seen, now), { uid: issuerUID }, secretSeen(seen));
    const attempt = { name: 'hub robot', account, secret };
    return (await logIns.logIn(attempt, { limit: noLimit, now })).result === 'ok';
  },
}));
