import { type Binding, kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { blockWords } from './clip.ts';

/** A flat buffer of parameters, with their state and gradients at the same offsets. */
export type RuleTensors<S extends string> = Readonly<Record<'parameters' | 'gradients' | 'blocks' | S, Tensor>>;

/**
 * One step of an optimizer on a flat buffer, in one launch, in place. Gradients are f32, or f16 where parameters are computed with
 * in f16; `blocks` has a word per 64 floats: see `blockWord`.
 *
 * A negative `factor` (a scalar) leaves all of it as it is. `clear` sets the gradients to 0 afterwards in any case.
 */
export type UpdateRule<S extends string, C extends string> = (
  buffer: RuleTensors<S>,
  hyper: Tensor,
  factor: Tensor,
  constants: Readonly<Record<C, number>>,
  clear?: boolean,
) => void;

/**
 * An update rule from the WGSL that updates four floats, number `i`. It sees `d`, the gradient times `factor`, `parameters[i]`, an
 * array for each name of `state`, the numbers of `hyper`, those of `constants` in `params`, and `decays(word)`: whether weight
 * decay applies.
 */
export function updateRule<S extends string, C extends string>(
  name: string,
  state: Readonly<Record<S, typeof floats>>,
  constants: Readonly<Record<C, 'f32'>>,
  body: string,
): UpdateRule<S, C> {
  // Padding is left alone: nobody reads it, but it may hold anything.
  const make = (name: string, access: 'read' | 'update', clear: string) =>
    kernel<Record<string, Binding>, Record<string, 'u32' | 'f32'>>({
      name,
      bind: {
        parameters: floats,
        ...state,
        gradients: `${access} vec4<T>`,
        blocks: 'read u32',
        hyper: 'read f32',
        factor: 'read f32',
      },
      params: { ...elementParams, ...constants },
      override: elementOverride,
      use: [blockWords],
      grid: elementGrid as never,
      wgsl: elementLoop(`
  let word = blocks[i / 16u];
  let inside = holds(word, i);
  let scale = factor[0];
  if (scale >= 0.0) {
    let d = select(vec4f(), vec4f(gradients[i]) * scale, inside);${body}
  }
  ${clear}`),
    });
  const update = make(name, 'read', '');
  const updateAndClear = make(`${name} and clear`, 'update', 'gradients[i] = select(gradients[i], vec4<T>(), inside);');
  return (buffer, hyper, factor, numbers, clear) => {
    const { parameters } = buffer;
    dispatch(
      clear ? updateAndClear : update,
      { ...buffer, hyper, factor } as Record<string, Tensor>,
      { ...elementsOf(parameters.device, parameters.size), ...numbers } as Record<string, number>,
    );
  };
}

/** A flat buffer that is updated. */
export const floats = 'update vec4<f32>';
