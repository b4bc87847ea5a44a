import { mergePatch } from '../../src/base/merge-patch.ts';
import type { Api, KubeObject } from '../cluster/api.ts';
import { eventually } from '../cluster/wait.ts';
import { type Issued, marksOf, resourceVersionMark, type Template, templateOf } from './floor.ts';
import type { SeenStatus } from './follow.ts';
import type { Ground } from './ground.ts';
import { clear, makeNamespaces, secretsPath, tokensPath, wavePath } from './objects.ts';
import { due, isOverlapOver, isRotatedTo, turnClock, warmTokens } from './turns.ts';

/** What the operator writes for one token: at its issue, at its rotation, and when the overlap of that is over. */
export async function learnRotation(ground: Ground): Promise<Template> {
  const { api } = ground;
  const namespaces = await makeNamespaces(api, 'template', 1);
  const [namespace = ''] = namespaces;
  const operator = await ground.operator({ movableClock: true });
  const template = await templateOf(api, namespace, warmTokens);
  const path = `${tokensPath(namespace)}/${template.name}`;
  const issued = await tokenThat(api, path, isRotatedTo(1));
  await turnClock(api, operator, { clock: due.warm, namespace });
  const rotated = await tokenThat(api, path, isRotatedTo(2));
  const secret = await api.get(`${secretsPath(namespace)}/${template.name}`);
  await turnClock(api, operator, { clock: due.warmEnd, namespace });
  const ended = await tokenThat(api, path, isOverlapOver);
  await operator.stop();
  await clear(api, namespaces);
  if (secret === undefined) throw new Error('the token that is the template has no Secret');
  const rotation = {
    secret: patchText({ metadata: marksOf(secret), data: secret.data }),
    status: patchText({ status: mergePatch(issued.status, statusOf(rotated)) }),
    end: patchText({ status: mergePatch(rotated.status, statusOf(ended)) }),
  };
  return { ...template, rotation };
}

/** The tokens of a wave with the versions of what is known of them. */
export async function issuedTokens(api: Api, wave: string): Promise<Issued[]> {
  const tokens = await api.list(wavePath(wave));
  const namespaces = new Set(tokens.map(({ metadata }) => metadata.namespace ?? ''));
  const secrets = (await Promise.all([...namespaces].map(namespace => api.list(secretsPath(namespace))))).flat();
  const versions = new Map(secrets.map(({ metadata: m }) => [`${m.namespace}/${m.name}`, m.resourceVersion]));
  return tokens.map(({ metadata: { name, namespace = '', uid, resourceVersion } }) => {
    const secretResourceVersion = versions.get(`${namespace}/${name}`) ?? '';
    return { name, namespace, uid, resourceVersion, secretResourceVersion };
  });
}

function tokenThat(api: Api, path: string, is: (status: SeenStatus) => boolean): Promise<KubeObject> {
  return eventually('the token that is the template', async () => {
    const token = await api.get(path);
    return token !== undefined && is(statusOf(token)) ? token : undefined;
  });
}

function statusOf({ status }: KubeObject): object {
  return typeof status === 'object' && status !== null ? status : {};
}

function patchText({ metadata, ...rest }: { metadata?: object; [field: string]: unknown }): string {
  return JSON.stringify({ metadata: { ...metadata, resourceVersion: resourceVersionMark }, ...rest });
}
