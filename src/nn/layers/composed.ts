import { ZeroSegError } from '../../gpu/index.ts';
import { checkTensors } from '../../tensor/graph/index.ts';

/**
 * A forward pass that is made of ops with other names: its inputs are tensors, and what an op refuses begins with the layer's name, as
 * the op says nothing of whose it is. The error stays the same object.
 */
export function composed<R>(layer: string, inputs: Readonly<Record<string, unknown>>, body: () => R): R {
  checkTensors(layer, inputs);
  try {
    return body();
  } catch (error) {
    if (error instanceof ZeroSegError && !error.message.startsWith(`${layer}: `)) {
      const [before, message] = [error.message, `${layer}: ${error.message}`];
      // V8 writes the message into the stack as well.
      Object.assign(error, { message, stack: error.stack?.replace(before, () => message) });
    }
    throw error;
  }
}
