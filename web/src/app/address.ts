/** What comes behind `#` in the address: `#train?epochs=3` is the tool `train`, with parameters. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';

export interface Address {
  /** Of a tool; '' where none is named. */
  readonly id: string;
  readonly parameters: URLSearchParams;
}

function addressOf(hash: string): Address {
  const [, id = '', query = ''] = /^#([^?]*)\??(.*)$/.exec(hash) ?? [];
  return { id, parameters: new URLSearchParams(query) };
}

const current: Signal<Address> = signal(addressOf(location.hash));

export const address: ReadonlySignal<Address> = current;

export function followAddress(): void {
  addEventListener('hashchange', () => {
    current.value = addressOf(location.hash);
  });
}
