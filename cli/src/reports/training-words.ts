/** What the terminal is told of a training. */
import type { Device } from '@zeroseg/core';
import { formatBytes, heldOutCount, ownValue, sceneMeasures, VALIDATION_LOSS } from '@zeroseg/core/internal';
import { countParameters } from '@zeroseg/core/nn';
import type { TrainingRun } from '@zeroseg/core/zeroseg';
import { count, formatPercent, type Terminal } from '../shell/index.ts';

/** Says what is trained, and from where. */
export function describeTraining(
  terminal: Terminal,
  { trainer, resumed, description }: TrainingRun,
  {
    words,
    notes,
    out,
    device,
  }: { readonly words: string; readonly notes: readonly string[]; readonly out: string; readonly device: Device },
): void {
  const { settings, model } = trainer;
  if (resumed) {
    const { damaged, was } = resumed;
    const place = trainer.done > 0 ? `the checkpoint of step ${trainer.done}` : 'the beginning';
    for (const reason of damaged) terminal.note(`${reason}; going on from ${place}`);
    if (was.adapter !== device.name) {
      terminal.note(
        `this run was begun on '${was.adapter}'; on '${device.name}' its numbers may differ in the last digits`,
      );
    }
    if (settings.epochs !== was.settings.epochs) {
      terminal.log(
        `made longer: ${settings.epochs} epochs instead of ${was.settings.epochs}; from here on, the learning rate is that of the longer training`,
      );
    }
  }
  for (const note of notes) terminal.log(note);
  const { step, slots, weights } = trainer.memory;
  const { photos, key } = description.cache;
  terminal.log(
    `${(countParameters(model) / 1e6).toFixed(2)} M parameters (${words}), ${count(photos, 'photos')}, teacher ${key.teacher}, on ${device.name}`,
  );
  terminal.log(
    `a step of ${settings.batch} photos${settings.micro < settings.batch ? ` in parts of ${settings.micro}` : ''}: ` +
      `${formatBytes(step)} planned, ${formatBytes(slots)} allocated; weights and optimizer ${formatBytes(weights)}`,
  );
  if (settings.ema > 0) terminal.log(`the model is the moving average of its weights, decay ${settings.ema}`);
  if (settings.mirror) {
    terminal.log(
      'half of the photos are mirrored; what the teacher sees of them is approximated by what it saw unmirrored',
    );
  }
  const { validation } = description;
  if (validation) {
    const { fraction, scenes, every } = validation;
    const on = [
      fraction !== undefined && `${count(heldOutCount(photos, fraction), 'photos')} held out`,
      scenes !== undefined && count(scenes, 'made-up scenes'),
    ];
    terminal.log(`validated on ${on.filter(Boolean).join(' and ')}, every ${count(every, 'steps')}`);
  }
  const from = trainer.done > 0 ? `, going on after step ${trainer.done}` : '';
  terminal.log(`${count(trainer.steps, 'steps')}, ${trainer.stepsPerEpoch} an epoch${from}; run folder ${out}`);
}

/** What a validation found: `loss 4.102`, `mean IoU 31.2 %, objects 24.1 %, …`. */
export function validationWords(found: Readonly<Record<string, number>>): string {
  const said: string[] = [];
  const loss = ownValue(found, VALIDATION_LOSS);
  if (loss !== undefined) said.push(`loss ${loss.toPrecision(4)}`);
  for (const name of sceneMeasures) {
    const fraction = ownValue(found, name);
    if (fraction !== undefined) said.push(`${name.replace('validation ', '')} ${formatPercent(fraction)}`);
  }
  return said.join(', ');
}
