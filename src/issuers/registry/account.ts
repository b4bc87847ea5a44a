import type { Grant } from './permissions.ts';
import type { LiveVerifier } from './verifiers.ts';

/** What the token server has to know of a robot account. Whoever supplies it leaves out an account that is being deleted. */
export interface Account {
  uid: string;
  /** As the issuer says it: `robot_<project>+<name>`, or `robot_<name>` at system level. */
  fullName: string;
  /** Those of all live secrets: the recorded one, those in their overlap, and the one in the Secret that is still to be recorded. */
  verifiers: readonly LiveVerifier[];
  /** The permissions in force, by project. */
  grants: readonly Grant[];
  disabled: boolean;
  /** The earlier one of its expiry and its `notAfter`; none for an account that never ends. */
  expiresAt?: Date | undefined;
}
