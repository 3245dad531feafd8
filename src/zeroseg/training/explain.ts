import type { Device } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, step } from '../../tensor/run/index.ts';
import { TrainingError } from '../host/index.ts';
import type { Batch, Compiled } from './trainer-steps.ts';
import { differentiate, passInputs, trainingPass } from './training-pass.ts';

/** Below this the loss scale cannot be the reason for gradients that are not finite. */
export const SMALLEST_SCALE = 1;

/**
 * Why `values` of step `number` are not finite: runs the micro-batch again in check mode, to name the launch that wrote the first such value.
 */
export async function explainNotFinite(
  device: Device,
  { model, settings, optimizer }: Compiled,
  number: number,
  batch: () => Promise<Batch>,
  values: Readonly<Record<string, number>>,
): Promise<TrainingError> {
  const bad = Object.entries(values)
    .filter(([, value]) => !Number.isFinite(value))
    .map(([name, value]) => `${name} is ${value}`)
    .join(', ');
  let cause: unknown;
  try {
    const inputs = await batch();
    using checked = await step(
      device,
      passInputs(model.config, settings.micro),
      ({ scale, ...given }) => {
        const backward = differentiate(settings, model, optimizer);
        const { loss, gradients } = backward(scale, () => trainingPass(model, settings, given, false));
        return [loss, ...gradients];
      },
      { name: 'train', check: true },
    );
    const [loss] = checked({ ...inputs, scale: SMALLEST_SCALE });
    await readAll([loss as Tensor]);
  } catch (error) {
    cause = error;
  }
  const origin = cause instanceof Error ? `; it comes from ${cause.message}` : '';
  const remedy = `try a lower learning rate or clip_grad${settings.precision === 'f16' ? ', or precision f32' : ''}`;
  const said = `training: step ${number}: ${bad}${origin}; the weights were not changed by this step; ${remedy}`;
  return new TrainingError(number, said, { cause });
}
