import { z } from 'zod';
import { eventually } from '../cluster/cluster.ts';
import { isBackground, isWrite, type SeenRequest } from '../faults/proxy.ts';
import { botToken, botUser } from './manifests.ts';
import type { Site } from './site.ts';

// Namespaces that take copies of a token's Secret, and what tests see in them.

const root = '/apis/botmint.dev/v1alpha1';
const Copies = z.looseObject({ imagePullSecrets: z.array(z.looseObject({ name: z.string() })).optional() });

/** What an image pull secret needs to be taken by the API server. */
const dockerConfig = {
  type: 'kubernetes.io/dockerconfigjson',
  data: [{ key: '.dockerconfigjson', template: '{"auths":{"registry.example.com":{"auth":"$(token)"}}}' }],
};

export class CopiesSite {
  readonly #site: () => Site;

  constructor(site: () => Site) {
    this.#site = site;
  }

  tokenPath(namespace: string): string {
    return `${root}/namespaces/${namespace}/bottokens/token`;
  }

  secretPath(namespace: string, name = 'token'): string {
    return `/api/v1/namespaces/${namespace}/secrets/${name}`;
  }

  /** A namespace that the tokens of `source` select, and that agrees unless it is said otherwise. */
  async taker(source: string, labels: Record<string, string | null> = {}): Promise<string> {
    const name = await this.#site().namespace();
    await this.label(name, { from: source, [`accept.botmint.dev/${source}`]: 'true', ...labels });
    return name;
  }

  async label(namespace: string, labels: Record<string, string | null>): Promise<void> {
    await this.#site().api.patch(`/api/v1/namespaces/${namespace}`, { metadata: { labels } });
  }

  /** A token with copies in so many namespaces, all there. */
  async distributed(
    count: number,
    o: { copies?: object; secret?: object; spec?: object; pull?: boolean } = {},
  ): Promise<{ source: string; takers: string[] }> {
    const site = this.#site();
    const source = await site.namespace();
    const takers = await Promise.all(Array.from({ length: count }, () => this.taker(source)));
    await this.apply(source, o);
    await site.ready('bottokens', source, 'token', 'Issued');
    await this.areCopied(source, takers);
    return { source, takers };
  }

  async apply(
    source: string,
    o: { copies?: object; secret?: object; spec?: object; pull?: boolean } = {},
  ): Promise<void> {
    const copies = { namespaceSelector: { matchLabels: { from: source } }, ...o.copies };
    const secret = { ...(o.pull === true && dockerConfig), ...o.secret, copies };
    await this.#site().apply(botUser('bot') + botToken('token', { secret, ...o.spec }), source);
  }

  async areCopied(source: string, takers: readonly string[]): Promise<void> {
    for (const taker of takers) await eventually(`${taker} has what ${source} has`, () => this.isCopied(source, taker));
  }

  async isCopied(source: string, taker: string): Promise<boolean> {
    const [own, copy] = await Promise.all([this.#site().values(source, 'token'), this.#site().values(taker, 'token')]);
    return own !== undefined && JSON.stringify(copy) === JSON.stringify(own);
  }

  async isGone(taker: string, name = 'token'): Promise<void> {
    await eventually(`${taker} has no copy`, async () => (await this.#site().secret(taker, name)) === undefined);
  }

  async account(namespace: string, name: string, imagePullSecrets: readonly { name: string }[] = []): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await this.#site().api.create(path, { metadata: { name }, imagePullSecrets });
  }

  async lists(namespace: string, account: string): Promise<string[]> {
    const found = await this.#site().api.get(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}`);
    return (Copies.parse(found ?? {}).imagePullSecrets ?? []).map(({ name }) => name);
  }

  async areListed(namespace: string, account: string, names: readonly string[]): Promise<void> {
    await eventually(`${account} lists ${names.join()}`, async () => {
      const listed = await this.lists(namespace, account);
      if (listed.join() !== names.join()) throw new Error(`it lists ${listed.join()}`);
      return true;
    });
  }

  /** What the operator has written about objects of these namespaces since a request; a BotUser counts its tokens late. */
  writes(since: number, namespaces: readonly string[]): SeenRequest[] {
    const requests = this.#site().proxy.requests.slice(since);
    return requests.filter(
      request =>
        isWrite(request) &&
        !isBackground(request) &&
        request.resource !== 'botusers' &&
        namespaces.includes(request.namespace),
    );
  }
}
