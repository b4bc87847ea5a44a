import { z } from 'zod';
import { eventually } from '../cluster/wait.ts';
import { botUser } from './manifests.ts';
import type { Site } from './site.ts';

const Status = z.object({
  keys: z
    .array(z.object({ kid: z.string(), state: z.enum(['Active', 'Next', 'Retired']), secretName: z.string() }))
    .optional(),
  withdrawnKeys: z.array(z.object({ kid: z.string() })).optional(),
  conditions: z.array(z.object({ type: z.string(), reason: z.string(), message: z.string() })).optional(),
});
const JWKS = z.object({
  keys: z.array(z.object({ kid: z.string(), kty: z.literal('EC'), d: z.never().optional() })),
});

export const keySecrets = '/api/v1/namespaces/botmint-system/secrets';

/** An issuer of its own for a test, named as its namespace, with a bot that uses it, and what it says of itself. */
export class OwnIssuer {
  readonly name: string;
  readonly url: string;
  readonly path: string;
  /** The manifest of a BotUser of this issuer. */
  readonly bot: string;
  readonly #site: Site;

  /** What there is under this name; `make` makes it. */
  constructor(site: Site, namespace: string) {
    this.#site = site;
    this.name = namespace;
    this.url = `https://${namespace}.example.com`;
    this.path = `/apis/botmint.dev/v1alpha1/clustertokenissuers/${this.name}`;
    this.bot = botUser('bot', { issuerRef: { kind: 'ClusterTokenIssuer', name: this.name } });
  }

  /** Makes it, and waits until it has its two keys. */
  static async make(site: Site, namespace: string, jwt: object = {}): Promise<OwnIssuer> {
    const issuer = new OwnIssuer(site, namespace);
    const manifest = {
      apiVersion: 'botmint.dev/v1alpha1',
      kind: 'ClusterTokenIssuer',
      metadata: { name: issuer.name },
      spec: {
        jwt: { issuerURL: issuer.url, audiences: ['https://a.example.com'], ...jwt },
        allowedNamespaces: { from: 'All' },
      },
    };
    await site.apply(JSON.stringify(manifest), namespace);
    await issuer.reaches('Active', 'Next');
    return issuer;
  }

  object() {
    return this.#site.api.get(this.path);
  }

  async status() {
    return Status.parse((await this.object())?.status ?? {});
  }

  /** Waits until its keys are in these states, in order, and gives them. */
  async reaches(...states: readonly string[]) {
    return eventually(`the keys are ${states.join(', ')}`, async () => {
      const { keys = [] } = await this.status();
      const seen = keys.map(({ state }) => state).join();
      if (seen === states.join()) return keys;
      throw new Error(`they are ${seen}`);
    });
  }

  /** Waits until its conditions have this reason, and gives what it says. */
  async says(reason: string): Promise<string> {
    return eventually(`the issuer says ${reason}`, async () => {
      const { conditions = [] } = await this.status();
      return conditions.find(condition => condition.type === 'Ready' && condition.reason === reason)?.message;
    });
  }

  /** The ids of the keys that relying parties are served. */
  async served(): Promise<string[]> {
    const { text } = await this.#site.fetch(`/issuers/${this.name}/jwks`);
    return JWKS.parse(JSON.parse(text)).keys.map(({ kid }) => kid);
  }

  async isActive(token: string): Promise<boolean> {
    return (await this.#site.introspect(token, this)).active;
  }

  async annotate(annotations: Record<string, string | null>): Promise<void> {
    await this.#site.api.patch(this.path, { metadata: { annotations } });
  }

  async hasSecret({ secretName }: { secretName: string }): Promise<boolean> {
    return (await this.#site.api.get(`${keySecrets}/${secretName}`)) !== undefined;
  }
}

/** The id of the key that signed a token. */
export function keyOf(token: string): string {
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
  return z.object({ kid: z.string() }).parse(header).kid;
}
