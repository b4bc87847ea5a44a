// `npm run cluster`: a control plane in the foreground, for a person with a second terminal.
import { SetupNeeded } from './build.ts';
import { ControlPlane } from './control-plane.ts';
import { install } from './install.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
// Until it is there, a signal just ends this process: the watchdog leaves nothing behind.
let onSignal: () => void = () => process.exit(0);
for (const signal of signals) process.on(signal, () => onSignal());

try {
  const began = performance.now();
  console.error('control plane: starting etcd, kube-apiserver and kube-controller-manager (about 4 s)');
  const plane = await ControlPlane.start(line => console.error(line));
  await install((args, options) => plane.kubectl(args, options));
  const stopped = new Promise<void>(resolve => {
    onSignal = resolve;
  });
  console.error(
    `control plane: ready, and botmint's kinds and manifests installed, after ${((performance.now() - began) / 1000).toFixed(1)} s, logs in ${plane.files.directory}`,
  );
  console.error('control plane: in a second terminal (the second line is for kubectl, if you have none):\n');
  console.log(`export KUBECONFIG=${plane.kubeconfigPath}`);
  console.log(`export PATH="${plane.binaries}:$PATH"`);
  console.error('\ncontrol plane: Ctrl-C stops it and leaves nothing');
  await stopped;
  await plane.stop();
  console.error('control plane: stopped');
} catch (error) {
  console.error(error instanceof SetupNeeded ? error.message : error);
  process.exitCode = 1;
}
