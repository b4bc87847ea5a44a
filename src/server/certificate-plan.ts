import { createPrivateKey, X509Certificate } from 'node:crypto';
import { managedLabel, managedOperator } from '../api/names.ts';
import type { SecretValue } from '../base/secret-value.ts';
import { type ConfigMap, type Secret, secretText } from '../kube/core-kinds.ts';
import type { KubeObject } from '../kube/objects.ts';

/** Names in the operator's namespace. */
export const servingSecretName = 'botmint-tls';
export const authoritySecretName = 'botmint-ca';
export const bundleConfigMapName = 'botmint-ca';
export const bundleKey = 'ca.crt';

/** What the name of every CA of ours begins with: it tells our certificates from those that others put in our Secret. */
export const authorityName = 'botmint CA';

/** The CA that certifies its own successor, and whose certificate stays in the bundle until it ends. */
export const previousKey = 'previous.crt';
export const crossKey = 'cross.crt';

/** A certificate with its chain (PEM) and its key, which were checked to belong together. */
export interface Usable {
  state: 'usable';
  certificate: string;
  key: SecretValue;
  leaf: X509Certificate;
}

/** The CA of the operator. `previous` and `cross` are there only as long as the CA before it is valid. */
export interface Authority extends Usable {
  previous?: string;
  cross?: string;
}

/** What a serving certificate is made for. */
export interface ServingNames {
  dns: readonly string[];
  ip: readonly string[];
}

/** How the Service of the operator is reached, and itself on its own machine. */
export function servingNames(namespace: string): ServingNames {
  const service = `botmint.${namespace}`;
  return { dns: [`${service}.svc`, service, `${service}.svc.cluster.local`, 'localhost'], ip: ['127.0.0.1'] };
}

/** The three objects, as they were read. */
export interface Seen {
  serving: Secret | undefined;
  authority: Secret | undefined;
  bundle: ConfigMap | undefined;
}

/** The next write, or none. */
export type Plan =
  | { do: 'make-authority' }
  | { do: 'renew-authority'; secret: Secret; predecessor: Authority | undefined }
  | { do: 'publish'; bundle: string }
  | { do: 'make-serving'; authority: Authority }
  | { do: 'renew-serving'; authority: Authority; secret: Secret }
  | { do: 'nothing' }
  /** Only a person can help; what is being served goes on being served. */
  | { do: 'give-up'; because: string };

/** The bundle is published before anything is signed by the CA in it. */
export function planCertificates(seen: Seen, names: ServingNames, now: Date): Plan {
  if (seen.serving !== undefined && !isOurServing(seen.serving)) return { do: 'nothing' };
  if (seen.authority === undefined) return { do: 'make-authority' };
  if (!isManaged(seen.authority)) return { do: 'give-up', because: notOurs };
  const authority = readAuthority(seen.authority, now);
  if (authority.state === 'unusable') return { do: 'give-up', because: `${unreadable}: ${authority.because}` };
  if (isDue(authority.leaf, now)) return renewAuthority(seen.authority, authority, now);
  const bundle = authority.certificate + (authority.previous ?? '');
  if (seen.bundle?.data[bundleKey] !== bundle) return { do: 'publish', bundle };
  if (seen.serving === undefined) return { do: 'make-serving', authority };
  return isGood(readPair(seen.serving), authority, names, now)
    ? { do: 'nothing' }
    : { do: 'renew-serving', authority, secret: seen.serving };
}

const notOurs = `the Secret ${authoritySecretName} is not from botmint; remove it, or put a certificate in ${servingSecretName}`;
const unreadable = `the Secret ${authoritySecretName} cannot be read; restore it, or delete it to have a new CA made`;

/** Reads a Secret of the type kubernetes.io/tls. The parts of an unusable one are never in `because`. */
export function readPair(secret: Secret): Usable | { state: 'unusable'; because: string } {
  const certificate = secretText(secret, 'tls.crt')?.reveal();
  const key = secretText(secret, 'tls.key');
  if (!certificate || key === undefined) return { state: 'unusable', because: 'tls.crt or tls.key is missing' };
  const leaf = readCertificate(certificate);
  if (leaf === undefined) return { state: 'unusable', because: 'tls.crt is not a certificate in PEM' };
  return fits(leaf, key)
    ? { state: 'usable', certificate, key, leaf }
    : { state: 'unusable', because: 'tls.key is not the private key of tls.crt' };
}

/** After two thirds of its life a certificate is due; a clock that stands before its beginning decides nothing. */
export function isDue(certificate: X509Certificate, now: Date): boolean {
  const from = certificate.validFromDate.getTime();
  const to = certificate.validToDate.getTime();
  return now.getTime() >= from + ((to - from) * 2) / 3;
}

export function isOver(certificate: X509Certificate, now: Date): boolean {
  return now >= certificate.validToDate;
}

function renewAuthority(secret: Secret, authority: Authority, now: Date): Plan {
  // Nobody trusts what a CA says that is past its end, so such a one has no say in its succession.
  return { do: 'renew-authority', secret, predecessor: isOver(authority.leaf, now) ? undefined : authority };
}

function readAuthority(secret: Secret, now: Date): Authority | { state: 'unusable'; because: string } {
  const pair = readPair(secret);
  if (pair.state === 'unusable') return pair;
  if (!pair.leaf.ca) return { state: 'unusable', because: 'tls.crt is not the certificate of a CA' };
  const authority: Authority = pair;
  const previous = stillValid(secret, previousKey, now);
  const cross = stillValid(secret, crossKey, now);
  return { ...authority, ...(previous && { previous }), ...(cross && { cross }) };
}

function stillValid(secret: Secret, key: string, now: Date): string | undefined {
  const text = secretText(secret, key)?.reveal();
  const certificate = text && readCertificate(text);
  return certificate && !isOver(certificate, now) ? text : undefined;
}

function isGood(
  serving: ReturnType<typeof readPair>,
  authority: Authority,
  names: ServingNames,
  now: Date,
): serving is Usable {
  if (serving.state === 'unusable' || isDue(serving.leaf, now)) return false;
  const { leaf } = serving;
  const covered = names.dns.every(name => leaf.checkHost(name)) && names.ip.every(ip => leaf.checkIP(ip));
  return covered && [authority.certificate, authority.previous].some(ca => ca !== undefined && isIssuedBy(leaf, ca));
}

function isIssuedBy(leaf: X509Certificate, issuer: string): boolean {
  const ca = readCertificate(issuer);
  return ca !== undefined && leaf.checkIssued(ca) && leaf.verify(ca.publicKey);
}

/**
 * Whether we may write to it: it has our label, and not a certificate that someone else issued. cert-manager, when it
 * is pointed at a Secret that we made, leaves our label where it is.
 */
function isOurServing(secret: Secret): boolean {
  if (!isManaged(secret)) return false;
  const pair = readPair(secret);
  return pair.state === 'unusable' || pair.leaf.issuer.includes(`CN=${authorityName} `);
}

function isManaged(object: KubeObject): boolean {
  return object.metadata.labels?.[managedLabel] === managedOperator;
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined; // whatever is wrong with it, the one answer is that it is no certificate
  }
}

function fits(certificate: X509Certificate, key: SecretValue): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key.reveal()));
  } catch {
    return false; // not a private key at all
  }
}
