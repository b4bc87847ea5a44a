/** The kinds that get credentials, as the API server calls them. */
export const plurals = ['bottokens', 'robotaccounts'] as const;
export type Plural = (typeof plurals)[number];

/** An object as somebody would apply it who wants it for CI. */
export interface Wished {
  plural: Plural;
  kind: 'BotToken' | 'RobotAccount';
  /** What one is called in figures. */
  noun: 'token' | 'robot';
  spec: object;
}

/** What a token has that is not usual. */
export interface TokenSpec {
  /** The name of the BotUser. */
  bot?: string;
  expiresIn?: string;
  rotation?: { renewBefore?: string; overlap?: string };
}

export function wishedToken({ bot = 'bot', expiresIn = '90d', rotation = {} }: TokenSpec = {}): Wished {
  const spec = { botUserRef: { name: bot }, label: 'CI on the main branch', expiresIn, rotation, secret: {} };
  return { plural: 'bottokens', kind: 'BotToken', noun: 'token', spec };
}

/** `registry` is the name of the issuer. */
export function wishedRobot(registry: string): Wished {
  const spec = {
    issuerRef: { kind: 'ClusterTokenIssuer', name: registry },
    project: 'payments',
    permissions: ['PullArtifacts', 'PushArtifacts'],
    description: 'CI on the main branch',
    expiresIn: '90d',
    rotation: {},
    secret: {},
  };
  return { plural: 'robotaccounts', kind: 'RobotAccount', noun: 'robot', spec };
}
