import type { BotToken } from '../../src/api/bot-token.ts';
import { managedLabel } from '../../src/api/names.ts';
import { ApiServer } from './api-server.ts';
import type { Fault } from './network.ts';
import { Operator } from './world.ts';

/** What can happen next. */
export type Happening =
  | { by: 'operator'; who: 0 | 1; fault: Fault }
  | { by: 'watch'; who: 0 | 1; what: 'token' | 'botUser' | 'secret' }
  | { by: 'network' }
  | { by: 'time'; minutes: number }
  | { by: 'user'; does: keyof typeof users };

const web = { kind: 'Deployment', name: 'web' } as const;

/** What users do to their objects, and the controller of a workload. */
export const users = {
  'asks for more': (server: ApiServer) => server.changeSpec({ scopes: ['a', 'b', 'c'] }),
  'asks for less': (server: ApiServer) => server.changeSpec({ scopes: ['a'] }),
  'asks for something else': (server: ApiServer) => server.changeSpec({ scopes: ['b'] }),
  'wants a longer life': (server: ApiServer) => server.changeSpec({ expiresIn: '2h' }),
  'wants a shorter life': (server: ApiServer) => server.changeSpec({ expiresIn: '1h' }),
  'wants no rotation': (server: ApiServer) => withoutRotation(server),
  'wants rotation': (server: ApiServer) => server.changeSpec({ rotation: {} }),
  'wants another entry': (server: ApiServer) => look(server, { data: [{ key: 'OTHER', template: 'x $(token)' }] }),
  'wants an export file': (server: ApiServer) => look(server, { data: [{ key: 'FILE', format: 'JSON' }] }),
  'wants another label': (server: ApiServer) => look(server, { labels: { team: 'b' } }),
  revokes: (server: ApiServer) => server.changeSpec({ revoked: true }),
  'deletes the token': (server: ApiServer) => server.deleteToken(),
  'takes off the finalizer': (server: ApiServer) => server.takeOffFinalizer(),
  'applies the token': (server: ApiServer) => server.applyToken(),
  'deletes the bot': (server: ApiServer) => server.deleteBotUser(),
  'disables the bot': (server: ApiServer) => server.disableBotUser(true),
  'enables the bot': (server: ApiServer) => server.disableBotUser(false),
  'applies the bot': (server: ApiServer) => server.applyBotUser(),
  'loses the Secret': (server: ApiServer) => server.loseSecret(),
  'edits the Secret': (server: ApiServer) => server.changeSecret(() => ({ data: { BUF_TOKEN: 'ZWRpdGVk' } })),
  'takes off the label': (server: ApiServer) =>
    server.changeSecret(() => metadata({ labels: { [managedLabel]: null } })),
  'takes off the marks': (server: ApiServer) => server.changeSecret(() => metadata({ annotations: null })),
  'takes off the owner': (server: ApiServer) => server.changeSecret(() => metadata({ ownerReferences: null })),
  'names a consumer': (server: ApiServer) => server.changeSpec({ restart: [web] }),
  'names nobody': (server: ApiServer) => server.changeSpec({ restart: [] }),
  'rolls the pods': (server: ApiServer) => server.rollWorkload(),
  'applies the workload as it was': (server: ApiServer) => server.stripWorkload(),
  'deletes the workload': (server: ApiServer) => server.deleteWorkload(),
  'makes the workload anew': (server: ApiServer) => server.replaceWorkload(),
  'annotates the Secret': (server: ApiServer) => server.changeSecret(() => metadata({ annotations: { theirs: 'x' } })),
};

/** One token and two operators that both believe to be in charge of it. */
export interface World {
  server: ApiServer;
  operators: readonly Operator[];
}

/** Everything applied, nothing done yet. */
export function start(operators: 1 | 2): World {
  const server = new ApiServer();
  server.changeSpec({ scopes: ['a', 'b'], expiresIn: '1h', restart: [web] });
  return { server, operators: Array.from({ length: operators }, () => new Operator(server)) };
}

/** Lets one thing happen. */
export function step({ server, operators }: World, one: Happening): void {
  switch (one.by) {
    case 'operator':
      operators[one.who % operators.length]?.step(one.fault);
      break;
    case 'watch':
      operators[one.who % operators.length]?.hear(one.what);
      break;
    case 'network':
      server.arrive();
      break;
    case 'time':
      server.passTime(one.minutes);
      break;
    case 'user':
      users[one.does](server);
      break;
  }
}

function withoutRotation(server: ApiServer): void {
  if (server.token === undefined) return;
  const { rotation: _, ...spec } = server.token.spec;
  server.token = { ...server.token, spec };
  server.changeSpec({});
}

function look(server: ApiServer, change: Partial<BotToken['spec']['secret']>): void {
  if (server.token !== undefined) server.changeSpec({ secret: { ...server.token.spec.secret, ...change } });
}

function metadata(change: object): object {
  return { metadata: change };
}
