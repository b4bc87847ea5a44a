// The bare client as a process of its own, as the operator is one. The first line of its standard input is the template,
// each further one a list of applied tokens; when it has issued them, it says so in one line.
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { BareClient, Template } from './floor.ts';
import { inFlight } from './in-flight.ts';
import { requestsInFlight } from './objects.ts';

const Applied = z.object({ namespace: z.string(), name: z.string(), uid: z.string(), resourceVersion: z.string() });
const [, , kubeconfig = ''] = process.argv;

const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
const template = Template.parse(JSON.parse((await lines.next()).value ?? ''));
const client = await BareClient.open(kubeconfig, template);
for await (const line of lines) {
  await inFlight(z.array(Applied).parse(JSON.parse(line)), requestsInFlight, applied => client.issue(applied));
  console.log('done');
}
await client.close();
