import { styleText } from 'node:util';

let steps = 0;

/** What a person sees of the demo. */
export const say = {
  act: (text: string) => console.log(`\n${styleText(['bold', 'underline'], text)}`),
  step: (text: string) => console.log(`\n${styleText('bold', `${++steps}. ${text}`)}`),
  run: (command: string) => console.log(styleText('cyan', `$ ${command}`)),
  show: (text: string) => console.log(text.trimEnd().replaceAll(/^/gm, '  ')),
  good: (text: string) => console.log(styleText('green', `✓ ${text}`)),
  note: (text: string) => console.log(styleText('dim', text)),
};
