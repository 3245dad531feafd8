import { kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  Tensor,
} from '../../tensor/graph/index.ts';
import { describe, isFloat, ShapeError, sameShape } from '../../tensor/values/index.ts';

/**
 * Writes the values of a tensor over those of a variable, inside the body of a {@link step}, at every call of it: running statistics, moving
 * averages, caches. What the body records afterwards reads the new values, what was recorded before has read the old ones: also views of the variable,
 * as by `reshape`, and ops that happen to change nothing, which are copied where they are used behind it.
 *
 * ```ts
 * const average = variable(device, [64]);
 * const train = await step(device, { x: [32, 64] }, ({ x }) => {
 *   assign(average, add(scale(average, 0.9), scale(mean(x, { axes: 0 }), 0.1)));
 * });
 * ```
 *
 * Gradients do not flow through it. Returns the variable. From the host, {@link write} does the same at once.
 *
 * @throws ShapeError unless both have one shape and dtype, and the target is a variable.
 */
export function assign(target: Tensor, value: Tensor): Tensor {
  if (!(target instanceof Tensor && target.storage.root.kind === 'variable')) {
    const found = target instanceof Tensor ? 'a tensor that is computed' : describe(target);
    throw new ShapeError(
      'assign',
      `the target must be a variable, as variable() or parameter() makes it; it is ${found}`,
    );
  }
  if (!(value instanceof Tensor)) {
    throw new ShapeError('assign', `the value must be a tensor; it is ${describe(value)}; from the host, use write()`);
  }
  if (!sameShape(target.shape, value.shape) || target.dtype !== value.dtype) {
    throw new ShapeError(
      'assign',
      `the value must have the variable's shape and dtype (${target.dtype}); it is ${value.dtype}`,
      { target: target.shape, value: value.shape },
    );
  }
  const of = elementsOf(target.device, target.size);
  if (!isFloat(target.dtype)) dispatch(assignWords, { x: value, y: target }, of);
  else dispatch(assignKernel, { x: value, y: target }, of);
  return target;
}

const assignKernel = /*#__PURE__*/ kernel({
  name: 'assign',
  bind: { x: 'read vec4<T>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = x[i];'),
});

const assignWords = /*#__PURE__*/ kernel({
  name: 'assign',
  bind: { x: 'read vec4<u32>', y: 'write vec4<u32>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = x[i];'),
});
