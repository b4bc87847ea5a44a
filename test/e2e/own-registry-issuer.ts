import { z } from 'zod';
import { SecretValue } from '../../src/base/secret-value.ts';
import type { KubeObject } from '../cluster/api.ts';
import { eventually } from '../cluster/wait.ts';
import type { Login } from '../registry/crane.ts';
import { registryIssuer, robotAccount } from './manifests.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Answer } from './relying-party.ts';
import type { Site } from './site.ts';

const Condition = z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() });
const IssuerStatus = z.object({ rootCertBundle: z.string().optional(), conditions: z.array(Condition).optional() });
const RobotStatus = z.looseObject({
  id: z.number().optional(),
  fullName: z.string().optional(),
  enabled: z.boolean().optional(),
  lastUsed: z.string().optional(),
  expiresAt: z.string().optional(),
  issuedAt: z.string().optional(),
  revision: z.number().optional(),
  permissions: z.array(z.looseObject({ project: z.string(), permissions: z.array(z.string()) })).optional(),
  previous: z.array(z.object({ tokenID: z.string(), revokeAt: z.string() })).optional(),
  conditions: z.array(Condition).optional(),
});
export type RobotStatus = z.infer<typeof RobotStatus>;
const DockerConfig = z.object({
  auths: z.record(z.string(), z.object({ username: z.string(), password: z.string() })),
});
const Token = z.looseObject({ access_token: z.string(), expires_in: z.number(), scope: z.string().optional() });

/** An issuer of type registry for a test, its robots, and its token endpoint as it is without a registry. */
export class OwnRegistryIssuer {
  readonly name: string;
  readonly path: string;
  readonly service: string;
  readonly #site: Site;

  private constructor(site: Site, name: string) {
    this.#site = site;
    this.name = name;
    this.path = `/apis/botmint.dev/v1alpha1/clustertokenissuers/${name}`;
    this.service = `${name}.example.com`;
  }

  /** One that is there already, or will be. */
  static of(site: Site, name: string): OwnRegistryIssuer {
    return new OwnRegistryIssuer(site, name);
  }

  /** Applies it, named after the namespace; `extra` goes into the spec, `registry` into its type. */
  static async make(site: Site, namespace: string, extra: object = {}, registry: object = {}) {
    const issuer = new OwnRegistryIssuer(site, namespace);
    await site.apply(registryIssuer(issuer.name, extra, registry), namespace);
    await issuer.says('KeysPublished');
    return issuer;
  }

  /** The manifest of a robot that may push to and pull from the project `shop`. */
  robot(name: string, extra: Parameters<typeof robotAccount>[2] = {}): string {
    return robotAccount(name, this.name, extra);
  }

  /** Applies a robot of this issuer, and waits until its secret is there. */
  async issued(namespace: string, name: string, extra: Parameters<typeof robotAccount>[2] = {}): Promise<Login> {
    await this.#site.apply(this.robot(name, extra), namespace);
    await this.#site.ready('robotaccounts', namespace, name, 'Issued');
    return this.login(namespace, name);
  }

  /** What the image pull secret says. */
  async login(namespace: string, secret: string): Promise<Login> {
    const { '.dockerconfigjson': text = '' } = (await this.#site.values(namespace, secret)) ?? {};
    const [auth] = Object.values(DockerConfig.parse(JSON.parse(text)).auths);
    if (auth === undefined) throw new Error('the image pull secret is for no host');
    return { username: auth.username, secret: new SecretValue(auth.password) };
  }

  async status(namespace: string, name: string): Promise<RobotStatus> {
    return RobotStatus.parse((await this.#site.robot(namespace, name))?.status ?? {});
  }

  /** Waits until the robot says this, and gives the sentence. */
  async robotSays(namespace: string, name: string, reason: string, seconds?: number): Promise<string> {
    const { status } = await this.#site.ready('robotaccounts', namespace, name, reason, seconds);
    return RobotStatus.parse(status).conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
  }

  /** Which conditions of the robot are true. */
  async stateOf(namespace: string, name: string): Promise<string> {
    const { conditions = [] } = await this.status(namespace, name);
    return conditions.flatMap(({ type, status }) => (status === 'True' ? [type] : [])).join();
  }

  patch(namespace: string, name: string, change: object): Promise<KubeObject> {
    return this.#site.api.patch(robotPath(namespace, name), change);
  }

  annotate(namespace: string, name: string, annotations: Record<string, string | null>): Promise<KubeObject> {
    return this.patch(namespace, name, { metadata: { annotations } });
  }

  /** The login after the next issue. */
  async next(namespace: string, name: string, before: Login): Promise<Login> {
    return eventually('another secret', async () => {
      const now = await this.login(namespace, name);
      return now.secret.reveal() === before.secret.reveal() ? undefined : now;
    });
  }

  /** Waits until its conditions have this reason, and gives what it says. */
  async says(reason: string): Promise<string> {
    return eventually(`the issuer says ${reason}`, async () => {
      const { conditions = [] } = IssuerStatus.parse((await this.#site.api.get(this.path))?.status ?? {});
      return conditions.find(condition => condition.type === 'Ready' && condition.reason === reason)?.message;
    });
  }

  /** What a registry is given as its `rootcertbundle`. */
  async bundle(): Promise<string> {
    return eventually('the bundle', async () => {
      const object = await this.#site.api.get(this.path);
      return IssuerStatus.parse(object?.status ?? {}).rootCertBundle;
    });
  }

  /** A request with Basic, as `docker login` sends it; `login` left out asks as nobody. */
  ask(o: { login?: Login | undefined; query?: Record<string, string>; by?: OperatorProcess } = {}): Promise<Answer> {
    const query = new URLSearchParams({ service: this.service, ...o.query });
    const headers = o.login === undefined ? {} : { authorization: basic(o.login) };
    return this.#site.fetch(`/registry/${this.name}/token?${query.toString()}`, { headers }, o.by);
  }

  /** A request in the form of OAuth2, as containerd sends it. */
  post(form: Record<string, string>): Promise<Answer> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams({ grant_type: 'password', service: this.service, client_id: 'test', ...form });
    return this.#site.fetch(`/registry/${this.name}/token`, { method: 'POST', headers, body: body.toString() });
  }

  /** What is in the token that this login gets, scope for scope; undefined for one that gets none. Who cannot know (503) is asked again. */
  async access(login: Login, scope = '', by?: OperatorProcess): Promise<string[] | undefined> {
    const answer = await eventually('the token endpoint says', async () => {
      const said = await this.ask({ login, query: scope === '' ? {} : { scope }, ...(by && { by }) });
      return said.status !== 503 && said;
    });
    if (answer.status === 401) return undefined;
    if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status}: ${answer.text}`);
    const { access } = claimsOf(tokenIn(answer));
    return access.map(({ name, actions }) => `${name}:${actions.join()}`);
  }

  /** Whether this is a name and a secret that the endpoint takes. */
  async letsIn(login: Login, by?: OperatorProcess): Promise<boolean> {
    return (await this.access(login, '', by)) !== undefined;
  }
}

export function robotPath(namespace: string, name: string): string {
  return `/apis/botmint.dev/v1alpha1/namespaces/${namespace}/robotaccounts/${name}`;
}

export function basic({ username, secret }: Login): string {
  return `Basic ${Buffer.from(`${username}:${secret.reveal()}`).toString('base64')}`;
}

export function tokenIn(answer: { text: string }): string {
  return Token.parse(JSON.parse(answer.text)).access_token;
}

const Claims = z.looseObject({
  iat: z.number(),
  exp: z.number(),
  sub: z.string(),
  access: z.array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })),
});

/** Not verified: registries do that. */
export function claimsOf(token: string): z.infer<typeof Claims> {
  return Claims.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()));
}
