import { z } from 'zod';
import { type Api, Refused } from './api.ts';

export interface TokenRequest {
  /** Left out: the API server's own. */
  audiences?: readonly string[];
  /** At least 600, the API server's minimum; an hour when left out. */
  seconds?: number;
}

export interface Token {
  token: string;
  /** The path of a kubeconfig that shows the token. */
  kubeconfigPath: string;
}

const answered = z.object({ status: z.object({ token: z.string() }) });

/** A token of an existing ServiceAccount, made by the API server itself. */
export async function tokenFor(api: Api, namespace: string, name: string, o: TokenRequest): Promise<string> {
  const spec = { audiences: o.audiences ?? [], expirationSeconds: o.seconds ?? 3600 };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  const answer = await api.call(path, { method: 'POST', body });
  if (answer.status !== 201) throw new Refused(`token of ServiceAccount ${namespace}/${name}`, answer);
  return answered.parse(answer.body).status.token;
}
