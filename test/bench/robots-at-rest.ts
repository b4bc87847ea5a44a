import { randomUUID } from 'node:crypto';
import { ClusterTokenIssuer } from '../../src/api/cluster-token-issuer.ts';
import { apiVersion } from '../../src/api/names.ts';
import { RobotAccount } from '../../src/api/robot-account.ts';
import type { SecretValue } from '../../src/base/secret-value.ts';
import type { Caches } from '../../src/controllers/caches.ts';
import { robotAccounts } from '../../src/decide/robot-account.ts';
import { wantedMetadata } from '../../src/decide/secret-metadata.ts';
import { generateSecret } from '../../src/issuers/registry/secrets.ts';
import type { Verifiers } from '../../src/issuers/registry/verifiers.ts';
import { secretMetadata } from '../../src/kube/core-kinds.ts';
import { inputs, registry, served } from '../decide/robots.ts';

/** A name and a secret as it stands: both are of this moment, and known to nobody but the benchmark. */
export interface Login {
  username: string;
  password: string;
}

const projects = 100;

/** Fills caches with what they hold of one registry and many robots, all of them issued and at rest. */
export class RobotsAtRest {
  readonly #caches: Caches;
  readonly #verifiers: Verifiers;

  constructor(caches: Caches, verifiers: Verifiers) {
    this.#caches = caches;
    this.#verifiers = verifiers;
    caches.issuers.put(ClusterTokenIssuer.parse({ ...registry, apiVersion, kind: 'ClusterTokenIssuer' }));
  }

  /** One more with a generated secret. */
  addGenerated(): Login {
    const [uid, secret] = [randomUUID(), generateSecret()];
    return this.#add(uid, secret, this.#verifiers.ofGenerated({ uid, revision: 1 }, secret));
  }

  /** One more that has brought its own. */
  async addOwn(secret: SecretValue): Promise<Login> {
    const uid = randomUUID();
    return this.#add(uid, secret, await this.#verifiers.ofOwn({ uid, revision: 1 }, secret));
  }

  #add(uid: string, secret: SecretValue, verifier: string): Login {
    const n = this.#caches.robots.size;
    const [project, name] = [`project-${n % projects}`, `robot-${n}`];
    const username = `robot_${project}+${name}`;
    const marks = { revision: 1, tokenID: `${uid}.1.kq0wfY2nq3Vb1x9T` };
    const { expiresAt: _, ...lasting } = inputs;
    const made = { ...lasting, username, expiresIn: 'never' as const, robot: { id: n, verifier } };
    const secretUID = randomUUID();
    const robot = {
      apiVersion,
      kind: 'RobotAccount',
      metadata: { ...served.metadata, name, uid, resourceVersion: '7' },
      spec: { ...served.spec, project },
      status: {
        ...served.status,
        ...marks,
        id: n,
        fullName: username,
        permissions: [{ project, permissions: ['PushArtifacts', 'PullArtifacts'] }],
        secretName: name,
        issued: { inputs: made, secret: { name, uid: secretUID, resourceVersion: '7' } },
      },
    };
    const taken = RobotAccount.parse(fromServer(robot));
    this.#caches.robots.put(taken);
    const metadata = wantedMetadata({ kind: robotAccounts, object: taken }, { ...marks, inputs: made });
    const born = { name, namespace: taken.metadata.namespace, uid: secretUID, resourceVersion: '7' };
    this.#caches.secrets.put(
      secretMetadata.parse(fromServer({ metadata: { ...metadata, ...born, creationTimestamp: '' } })),
    );
    return { username, password: secret.reveal() };
  }
}

/** With texts of its own, as an object has them that came over the network. */
function fromServer(object: object): unknown {
  return JSON.parse(JSON.stringify(object));
}
