import { apiVersion, managedLabel, ownerAnnotation, ownerUIDAnnotation } from '../api/names.ts';

/** The metadata by which an object of the operator's namespace is an issuer's: it is watched by its label, and goes with the issuer. */
export function issuerOwned({ name, uid }: { name: string; uid: string }, managed: string) {
  return {
    labels: { [managedLabel]: managed },
    annotations: { [ownerAnnotation]: `ClusterTokenIssuer/${name}`, [ownerUIDAnnotation]: uid },
    ownerReferences: [{ apiVersion, kind: 'ClusterTokenIssuer', name, uid }],
  };
}
