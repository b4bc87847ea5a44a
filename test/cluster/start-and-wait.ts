// A process that starts a control plane, says so, and never stops it: for the test that kills it.
import { ControlPlane } from './control-plane.ts';

const plane = await ControlPlane.start();
console.log(JSON.stringify(plane.pids));
