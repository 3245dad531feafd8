import type { Launch, Recording, Storage, Tensor } from '../graph/index.ts';
import { StepError } from '../values/index.ts';

/**
 * Throws what differs between two recordings of one body: a number or a decision that would be frozen into the step and must be an
 * input instead.
 */
export function checkRepetition(name: string, first: Recording, second: Recording): void {
  const numbersOf = [new Map<Storage, number>(), new Map<Storage, number>()] as const;
  const identity = (which: 0 | 1, root: Storage): Storage | number => {
    if (root.kind === 'variable' || root.kind === 'input' || root.data) return root.data ? -1 : root;
    const numbers = numbersOf[which];
    let number = numbers.get(root);
    if (number === undefined) numbers.set(root, (number = numbers.size));
    return number;
  };
  const difference = (at: number, launch: Launch | undefined, what: string) =>
    new StepError(
      `${name}: the body does not repeat itself: launch ${at + 1} (${launch?.label ?? 'none'}): ${what}; pass what changes as an input`,
    );
  const count = Math.max(first.launches.length, second.launches.length);
  for (let i = 0; i < count; i++) {
    const a = first.launches[i];
    const b = second.launches[i];
    if (!a || !b) throw difference(i, a ?? b, 'is there in one run only');
    if (a.kernel !== b.kernel) throw difference(i, a, `the other run has ${b.label}`);
    a.kernel.paramNames.forEach((param, p) => {
      if (!Object.is(a.params[p], b.params[p]))
        throw difference(i, a, `'${param}' changed (${a.params[p]}, then ${b.params[p]})`);
    });
    if (a.grid.join() !== b.grid.join() || JSON.stringify(a.constants) !== JSON.stringify(b.constants)) {
      throw difference(i, a, 'its grid or constants changed');
    }
    a.tensors.forEach((t, n) => {
      const other = b.tensors[n] as Tensor;
      const binding = a.kernel.names[n];
      if (t.storage.data && other.storage.data) {
        const [x, y] = [t.storage.data, other.storage.data];
        if (x !== y && (x.length !== y.length || x.some((value, k) => !Object.is(value, y[k])))) {
          throw difference(i, a, `the values of the constant '${binding}' changed`);
        }
      } else if (identity(0, t.storage.root) !== identity(1, other.storage.root)) {
        const another = t.storage.root.kind === 'variable' ? 'variable: make it outside' : 'tensor';
        throw difference(i, a, `'${binding}' is another ${another}`);
      }
    });
  }
}
