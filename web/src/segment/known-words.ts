import { signal } from '@preact/signals';
import { engine } from '../engine/client.ts';

const builtIn = signal<readonly string[] | undefined>(undefined);
let isAsked = false;

/** The words that a model can tell apart; undefined where nobody knows, as of a CLIP, which has seen words of all kinds. */
export function knownWords(model: string): readonly string[] | undefined {
  if (model !== 'built-in') return undefined;
  if (!isAsked) {
    isAsked = true;
    void engine.scenes.names().then((names) => {
      builtIn.value = names;
    });
  }
  return builtIn.value;
}
