// x509 finds its parts through this polyfill; it must be there first.
import 'reflect-metadata';
import { ExtendedKeyUsage, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension } from '@peculiar/x509';
import {
  authorityExtensions,
  certify,
  day,
  leafExtensions,
  makeCA,
  makeCertified,
  type Pair,
} from '../base/certificates.ts';
import { type Authority, authorityName, type ServingNames } from './certificate-plan.ts';

/** Long enough that whoever copied the CA certificate hears of its successor: that one comes after two thirds. */
const authorityLife = 1825 * day;
const servingLife = 90 * day;

/** A new CA; `cross` is the same CA certified by its predecessor, for those who only know that one. */
export interface NewAuthority extends Pair {
  cross?: string;
}

/**
 * Makes a CA with a key of its own. With a predecessor that is still valid it is also certified by that one, so that
 * relying parties that have not yet seen the new CA go on trusting what it signs until the old one ends.
 */
export async function makeAuthority(now: Date, predecessor?: Authority): Promise<NewAuthority> {
  // A name of its own each time: OpenSSL looks for an issuer by name first, and takes the wrong one of two namesakes.
  const subject = `CN=${authorityName} ${crypto.randomUUID().slice(0, 8)}`;
  const wanted = { subject, now, life: authorityLife };
  // Path length 1 leaves room for the cross certificate of a successor.
  const { publicKey, ...made } = await makeCA({ ...wanted, extensions: authorityExtensions(1) });
  if (predecessor === undefined) return made;
  return { ...made, cross: await certify(predecessor, publicKey, { ...wanted, extensions: authorityExtensions(0) }) };
}

/** Makes a serving certificate for these names, signed by the CA; it never outlives the CA. */
export async function makeServing(authority: Authority, names: ServingNames, now: Date): Promise<Pair> {
  const subjects = [
    ...names.dns.map(value => ({ type: 'dns' as const, value })),
    ...names.ip.map(value => ({ type: 'ip' as const, value })),
  ];
  const extensions = [
    ...leafExtensions(),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(subjects),
  ];
  const leaf = await makeCertified(authority, { subject: 'CN=botmint', now, life: servingLife, extensions });
  return { ...leaf, certificate: leaf.certificate + (authority.cross ?? '') };
}
