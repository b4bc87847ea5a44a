/** Every name that other software can see: the API group and what botmint writes on objects. None may ever change. */
export const group = 'botmint.dev';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;

/** On everything in Secrets that is botmint's. The metadata watch selects by it; its value says what the Secret holds. */
export const managedLabel = 'botmint.dev/managed';
/** A credential that an object asked for. */
export const managedCredential = 'credential';
/** A private signing key of an embedded issuer, in the operator's namespace. */
export const managedSigningKey = 'signing-key';
/** Keys and certificates of the operator itself, in its namespace. */
export const managedOperator = 'operator';
/** A part of an issuer's status list: a ConfigMap in the operator's namespace. */
export const managedStatusList = 'status-list';

/** The counter of an issuer's robot numbers: a ConfigMap in the operator's namespace. */
export const managedRobotIDs = 'robot-ids';

/** A copy of a credential's Secret in another namespace. */
export const managedCopy = 'copy';

/** Who holds a Secret: `<Kind>/<name>`, on a copy `<Kind>/<namespace>/<name>`, beside the UID, so that a holder can be named and looked up. */
export const ownerAnnotation = 'botmint.dev/owner';
export const ownerUIDAnnotation = 'botmint.dev/owner-uid';
export const revisionAnnotation = 'botmint.dev/revision';
export const tokenIDAnnotation = 'botmint.dev/token-id';
/** What the credential was made from: JSON, see inputs.ts. */
export const inputsAnnotation = 'botmint.dev/inputs';
/** On a copy: what it was made from, and which ServiceAccounts were given its name. JSON, see decide/copy-metadata.ts. */
export const copyAnnotation = 'botmint.dev/copy';
/** Asks for a new credential with the usual overlap, once for each value. */
export const rotateAnnotation = 'botmint.dev/rotate';
/** Asks for a new credential because the old one has leaked: everything older ends at once. Once for each value. */
export const replaceAnnotation = 'botmint.dev/replace';
/** `true` stops everything but the end of credentials. */
export const pausedAnnotation = 'botmint.dev/paused';
/** On an issuer: key ids, separated by commas, that may have leaked. Each is stopped at once and for good. */
export const retireKeyAnnotation = 'botmint.dev/retire-key';
/** Who created an object, stamped by the optional admission policy. */
export const createdByAnnotation = 'botmint.dev/created-by';

/** Before the slash of the annotation that a pod template is given; behind it stands the object whose token was rotated. */
export const restartAnnotationPrefix = 'restart.botmint.dev';

/** Before the slash of the label by which a namespace takes copies; behind it stands the namespace that they come from. */
export const acceptLabelPrefix = 'accept.botmint.dev';

/** Revoke before the object goes. */
export const revokeFinalizer = 'botmint.dev/revoke';
/** An issuer stays while credentials depend on it. */
export const inUseFinalizer = 'botmint.dev/in-use';

/** The key that a BotToken's Secret has when `secret.data` is left out: what buf and its peers read. */
export const defaultSecretKey = 'BUF_TOKEN';
/** The key of a RobotAccount's Secret when `secret.data` is left out, which kubelets read. */
export const dockerConfigKey = '.dockerconfigjson';
