import { Agent, request } from 'undici';
import { z } from 'zod';
import type { Api } from '../cluster/api.ts';
import { eventually } from '../cluster/wait.ts';

const host = 'botmint.botmint-system.svc';
export const builtinURL = `https://${host}`;

/** A ServiceAccount that may introspect, as a service that is shown bot tokens has one. */
export const relyingPartyManifest = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: relying-party, namespace: botmint-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: relying-party}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: botmint-introspect}
subjects: [{kind: ServiceAccount, name: relying-party, namespace: botmint-system}]
`;

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** A service that is shown bot tokens: it knows the issuer's URL and the published CA, and nothing of botmint's code. */
export class RelyingParty {
  readonly #api: Api;
  readonly #tokenFor: (audience: string) => Promise<string>;
  readonly #tokens = new Map<string, Promise<string>>();

  /** `tokenFor` gives a ServiceAccount token for an audience. */
  constructor(api: Api, tokenFor: (audience: string) => Promise<string>) {
    this.#api = api;
    this.#tokenFor = tokenFor;
  }

  /** RFC 7662. Asks again while the issuer cannot know (503), as a service would: an answer is several reads of a busy API server. */
  async introspect(
    port: number,
    token: string,
    issuer = { name: 'builtin', url: builtinURL },
  ): Promise<{ active: boolean; jti?: string | undefined }> {
    const question = {
      method: 'POST' as const,
      headers: {
        authorization: `Bearer ${await this.#ownToken(issuer.url)}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ token }).toString(),
    };
    const answer = await eventually('the issuer says', async () => {
      const said = await this.fetch(port, `/issuers/${issuer.name}/introspect`, question);
      return said.status !== 503 && said;
    });
    if (answer.status !== 200) throw new Error(`introspection answered ${answer.status}: ${answer.text}`);
    return z.object({ active: z.boolean(), jti: z.string().optional() }).parse(JSON.parse(answer.text));
  }

  #ownToken(audience: string): Promise<string> {
    const token = this.#tokens.get(audience) ?? this.#tokenFor(audience);
    this.#tokens.set(audience, token);
    return token;
  }

  /** A request to the issuer as if its Service's name led to this port; its certificate is verified with the published CA. */
  async fetch(
    port: number,
    path: string,
    o: { method?: 'GET' | 'POST'; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> {
    const published = await this.#api.get('/api/v1/namespaces/botmint-system/configmaps/botmint-ca');
    const ca = z.object({ data: z.object({ 'ca.crt': z.string() }) }).parse(published).data['ca.crt'];
    const agent = new Agent({ connect: { ca, servername: host } });
    try {
      const answer = await request(`https://127.0.0.1:${port}${path}`, {
        method: o.method ?? 'GET',
        headers: { host, ...o.headers },
        body: o.body ?? null,
        dispatcher: agent,
      });
      return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
    } finally {
      await agent.close();
    }
  }
}
