// The bare client as a process of its own, as the operator is one. The first line of its standard input is the template
// or null, each further one a task with a list of objects; when it has done it, it says so in one line.
import { createInterface } from 'node:readline';
import { BareClient, Template } from './floor.ts';
import { Task } from './floor-task.ts';
import { inFlight } from './in-flight.ts';
import { requestsInFlight } from './objects.ts';

const [, , kubeconfig = ''] = process.argv;

const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
const template = Template.nullable().parse(JSON.parse((await lines.next()).value ?? ''));
const client = await BareClient.open(kubeconfig, template ?? undefined);
for await (const line of lines) {
  await run(Task.parse(JSON.parse(line)));
  console.log('done');
}
await client.close();

async function run(task: Task): Promise<void> {
  if (task.do === 'issue') await inFlight(task.tokens, requestsInFlight, token => client.issue(token));
  else if (task.do === 'rotate') await inFlight(task.tokens, requestsInFlight, token => client.rotate(token));
  else if (task.do === 'end-overlap') await inFlight(task.tokens, requestsInFlight, token => client.endOverlap(token));
  else await inFlight(task.secrets, requestsInFlight, secret => client.rewrite(secret, task.text));
}
