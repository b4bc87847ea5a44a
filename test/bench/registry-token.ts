import { decodeJwt, decodeProtectedHeader } from 'jose';
import { z } from 'zod';
import { makeLeaf, makeSigningAuthority } from '../../src/issuers/registry/chain.ts';
import { Authority } from '../cluster/certificates.ts';
import { registry } from '../decide/robots.ts';
import { nodeFlags } from '../e2e/node-flags.ts';
import { ask, load, requestText } from './load.ts';
import { median, type Row, ratio } from './report.ts';
import type { Login } from './robots-at-rest.ts';
import { Listening, ServerProcess } from './server-process.ts';
import { Signing } from './signing-process.ts';
import { type Endpoint, EndpointSaid, HeapSaid } from './token-endpoint-process.ts';

const robots = 10_000;
/** Of those: so many have brought a secret of their own, more than log in while that is measured. */
const own = 500;
const turns = 3;
const forms = ['GET', 'POST'] as const;
type Form = (typeof forms)[number];
const connections = [1, 32];

interface Setting {
  quick: boolean;
  say: (line: string) => void;
  /** Where CPU profiles go. */
  profile: string | undefined;
}

/** What is asked of one server. */
interface Side {
  process: ServerProcess;
  port: number;
}

/** What a server does under one load. */
interface Rate {
  perSecond: number;
  /** Milliseconds of processor time per answer, in all threads. */
  cpu: number;
}

/** Tokens for many robots, each asked for by another one than the last, beside a bare server that signs the like. */
export async function measureRegistryToken({ quick, say, profile }: Setting): Promise<Row[]> {
  const seconds = quick ? 1 : 5;
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  say(`registry-token: ${robots} robots are put into the caches of an endpoint`);
  await using endpoint = new ServerProcess('token-endpoint-process.ts', [...nodeFlags, ...flags]);
  await using floor = new ServerProcess('signing-process.ts', flags);
  const told = await makeEndpoint();
  const said = EndpointSaid.parse(await endpoint.tell(told));
  const bare = Listening.parse(await floor.tell(await floorLike(said, told)));
  const sides = { endpoint: { process: endpoint, port: said.port }, floor: { process: floor, port: bare.port } };
  for (const { port } of Object.values(sides)) await warm(port, said);
  const rows: Row[] = [];
  for (const form of forms) {
    for (const count of connections) {
      say(`registry-token: ${form}, ${count} in flight, ${turns} times ${seconds} s each`);
      const requests = said.generated.map(login => requestOf(form, said.path, login));
      rows.push(...(await compared(sides, form, { requests, connections: count, seconds })));
    }
  }
  say('registry-token: the same with secrets that robots have brought');
  rows.push(...(await ownRows(sides.endpoint, said, seconds)));
  return [...rows, await memoryRow(endpoint)];
}

/** So often every robot has logged in before anything counts: V8 has compiled what it will, and what is kept of a login is kept. */
const warmLogins = 4;

async function warm(port: number, { path, generated }: EndpointSaid): Promise<void> {
  const requests = generated.map(login => requestOf('GET', path, login));
  for (let asked = 0; asked < warmLogins * generated.length; ) {
    asked += (await load({ port, requests, connections: 32, seconds: 2 })).answers;
  }
}

/** With certificates of the same kind as the operator makes. */
async function makeEndpoint(): Promise<Endpoint> {
  const now = new Date();
  const leaf = await makeLeaf(await makeSigningAuthority('registry', now), 'registry', now);
  const { certificate, privateKey } = await (await Authority.create('bench')).server({ dns: ['localhost'], ip: [] });
  return {
    serving: { certificate, key: privateKey },
    signing: { certificate: leaf.certificate, key: leaf.key.reveal() },
    robots,
    own,
  };
}

/** It signs what a token of ours has in header and claims, so that both send as much. */
async function floorLike(said: EndpointSaid, { serving, signing }: Endpoint): Promise<Signing> {
  const [first] = said.generated;
  if (first === undefined) throw new Error('there is no robot');
  const answer = await ask(said.port, requestOf('GET', said.path, first));
  const { token } = z.object({ token: z.string() }).parse(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))));
  return Signing.parse({
    cert: serving.certificate,
    key: serving.key,
    signingKey: signing.key,
    header: decodeProtectedHeader(token),
    claims: decodeJwt(token),
  });
}

/** What clients of registries send who want to push. */
function requestOf(form: Form, path: string, { username, password }: Login): string {
  const project = /_(.+)\+/.exec(username)?.[1] ?? '';
  const asked = { service: registry.spec.registry.service, scope: `repository:${project}/app:pull,push` };
  if (form === 'GET') {
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    return requestText('GET', `${path}?${formOf({ account: username, ...asked })}`, { authorization });
  }
  const body = formOf({ grant_type: 'password', client_id: 'bench', ...asked, username, password });
  return requestText('POST', path, { 'content-type': 'application/x-www-form-urlencoded' }, body);
}

function formOf(parameters: Record<string, string>): string {
  return new URLSearchParams(parameters).toString();
}

type Asked = Omit<Parameters<typeof load>[0], 'port'>;

/** Three times each, in turns: whatever else the machine does, it does to both. */
async function compared(of: { endpoint: Side; floor: Side }, form: Form, asked: Asked): Promise<Row[]> {
  const rates: { own: Rate; bare: Rate }[] = [];
  for (let turn = 0; turn < turns; turn++) {
    rates.push({ own: await rateOf(of.endpoint, asked), bare: await rateOf(of.floor, asked) });
  }
  const place = `${form}, ${asked.connections === 1 ? '1 connection' : `${asked.connections} connections`}`;
  const middle = (side: 'own' | 'bare', of: keyof Rate) => median(rates.map(turn => turn[side][of]));
  const row = (figure: string, of: keyof Rate, digits: number) => ({
    figure: `${figure}, ${place}`,
    botmint: middle('own', of).toFixed(digits),
    floor: middle('bare', of).toFixed(digits),
    ratio: ratio(middle('own', of), middle('bare', of)),
  });
  return [
    { ...row('registry tokens per second', 'perSecond', 0), goal: 'ratio ≥ 0.6' },
    row('ms of CPU per registry token', 'cpu', 3),
  ];
}

async function rateOf({ process, port }: Side, asked: Asked): Promise<Rate> {
  let used = 0;
  const { answers, seconds } = await load({ ...asked, port }, () => {
    used = process.cpuSeconds;
  });
  return { perSecond: answers / seconds, cpu: ((process.cpuSeconds - used) * 1000) / answers };
}

/** Of robots that have not logged in before: one scrypt each. */
async function ownRows(endpoint: Side, said: EndpointSaid, seconds: number): Promise<Row[]> {
  const requests = said.own.map(login => requestOf('GET', said.path, login));
  const { perSecond, cpu } = await rateOf(endpoint, { requests, connections: 1, seconds });
  return [
    { figure: 'registry tokens per second, own secret, first login, GET, 1 connection', botmint: perSecond.toFixed(0) },
    { figure: 'ms of CPU per registry token, own secret, first login', botmint: cpu.toFixed(1) },
  ];
}

/** After all have logged in: with whatever is kept of that. */
async function memoryRow(endpoint: ServerProcess): Promise<Row> {
  const { heap } = HeapSaid.parse(await endpoint.tell({}));
  return {
    figure: `KB of live heap per robot with the metadata of its Secret, ${robots} of them, all logged in`,
    botmint: (heap / robots / 1024).toFixed(1),
  };
}
