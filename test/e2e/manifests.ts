/** Manifests that the tests apply; `extra` goes into the spec. Flow style, so that a test reads in one line. */
export function botUser(name: string, extra: object = {}): string {
  return manifest('BotUser', name, extra);
}

export function botToken(
  name: string,
  extra: { botUserRef?: { name: string; namespace?: string }; expiresIn?: string; [field: string]: unknown } = {},
): string {
  return manifest('BotToken', name, { botUserRef: { name: 'bot' }, expiresIn: '90d', ...extra });
}

/** An issuer of its own, for all namespaces; `extra` goes into the spec, `jwt` into its type. */
export function clusterTokenIssuer(name: string, extra: object = {}, jwt: object = {}): string {
  const url = `https://${name}.example.com`;
  const spec = { jwt: { issuerURL: url, audiences: [url], ...jwt }, allowedNamespaces: { from: 'All' }, ...extra };
  return manifest('ClusterTokenIssuer', name, spec);
}

/** An issuer of type registry, for all namespaces and without ceilings; `extra` goes into the spec, `registry` into its type. */
export function registryIssuer(name: string, extra: object = {}, registry: object = {}): string {
  const all = ['*'];
  const spec = {
    registry: { service: `${name}.example.com`, issuer: 'botmint', host: `${name}.example.com`, ...registry },
    allowedNamespaces: { from: 'All' },
    limits: { usernames: all, projects: all, permissions: all },
    ...extra,
  };
  return manifest('ClusterTokenIssuer', name, spec);
}

/** A robot that may push to and pull from the project `shop`; `extra` goes into the spec. */
export function robotAccount(
  name: string,
  issuer: string,
  extra: { projects?: object[]; [field: string]: unknown } = {},
): string {
  const shop = { project: 'shop', permissions: ['PushArtifacts', 'PullArtifacts'] };
  const issuerRef = { kind: 'ClusterTokenIssuer', name: issuer };
  return manifest('RobotAccount', name, { issuerRef, expiresIn: '90d', ...(extra.projects ? {} : shop), ...extra });
}

function manifest(kind: string, name: string, spec: object): string {
  return `---\n${JSON.stringify({ apiVersion: 'botmint.dev/v1alpha1', kind, metadata: { name }, spec })}\n`;
}
