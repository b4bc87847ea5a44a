import type { BotToken } from '../api/bot-token.ts';
import type { TokenInputs } from '../api/inputs.ts';
import { askedChange, type Change, commonChange, endChange, lifeChange, setChange, strictest } from './change.ts';
import type { TokenWish } from './grant.ts';
import type { KindOf } from './kind.ts';
import { overlapAfterChangeSeconds } from './times.ts';

/** BotToken: the credential of a BotUser, whose end is the token's. */
export const botTokens: KindOf<BotToken, TokenInputs, TokenWish> = {
  name: 'BotToken',
  whenEnded: 'set spec.rotation, or make a new BotToken',
  whenCutShort: "with its BotUser: move the BotUser's spec.notAfter",
  issuerType: 'jwt',
  overlaps: {
    first: 0,
    renewal: undefined,
    rotated: overlapAfterChangeSeconds,
    widened: overlapAfterChangeSeconds,
    narrowed: 0,
    replaced: 0,
    lost: overlapAfterChangeSeconds,
    edited: overlapAfterChangeSeconds,
  },
  knows: ({ robot }) => robot === undefined,
  changeOf,
  ownChangeOf,
  revised: (_, recorded) => recorded,
  revisable: [],
  revisableOfRobot: [],
  needsCredential: () => false,
  isRevision: () => true,
  lasting: [],
  served: () => ({}),
};

function changeOf(recorded: TokenInputs, wish: TokenWish): Change {
  return strictest(
    commonChange(recorded, wish),
    endChange(recorded, wish),
    // Another BotUser under the old name: what the old one stood for is gone.
    recorded.botUser.uid === wish.botUser.uid ? 'none' : 'narrowed',
    setChange(recorded.identities.map(identityText), wish.identities.map(identityText)),
    // The key may have leaked and is published no more: what it signed is dead already.
    wish.withdrawnKeys.includes(recorded.keyID) ? 'replaced' : 'none',
    ownChangeOf(recorded, wish),
  );
}

function ownChangeOf(recorded: TokenInputs, wish: TokenWish): Change {
  const defaulted = recorded.audiencesDefaulted === true && wish.audiencesDefaulted;
  return strictest(
    lifeChange(recorded.expiresIn, wish.expiresIn),
    askedChange(recorded, wish),
    defaulted ? 'none' : setChange(recorded.audiences, wish.audiences),
    setChange(recorded.scopes, wish.scopes),
  );
}

function identityText({ service, id }: { service: string; id: string }): string {
  return `${service}/${id}`;
}

/** The BotUser that a token refers to, for people. */
export function botUserNameOf({ spec, metadata }: BotToken): string {
  return `BotUser ${spec.botUserRef.name} in namespace ${spec.botUserRef.namespace ?? metadata.namespace}`;
}
