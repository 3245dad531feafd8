import { beforeAll, describe, expect, it } from 'vitest';
import { useDevice } from '../support/device.ts';
import { binaryTrials, unaryTrials, whereTrials } from '../support/edge-pointwise.ts';
import { onCpu, rowTrials } from '../support/edge-rows.ts';
import { faults, type Kind, kinds, type Trial } from '../support/edges.ts';

const table: Readonly<Record<string, (kind: Kind) => Trial[]>> = {
  ...unaryTrials,
  ...binaryTrials,
  where: whereTrials,
  ...Object.fromEntries(Object.entries(rowTrials).map(([name, trials]) => [name, (kind: Kind) => trials(kind, onCpu)])),
};

describe.each(['f32', 'f16'] as const)('%s', (dtype) => {
  const device = useDevice();
  let found: Map<string, string[]>;
  beforeAll(async () => {
    found = new Map();
    if (dtype === 'f16' && !device.current.features.has('shader-f16')) return;
    const trials = Object.entries(table).flatMap(([name, make]) =>
      make(kinds[dtype]).map((trial) => ({ name, trial })),
    );
    const wrong = await faults(
      device.current,
      kinds[dtype],
      trials.map(({ trial }) => trial),
    );
    trials.forEach(({ name }, i) => {
      found.set(name, [...(found.get(name) ?? []), ...(wrong[i] as string[])]);
    });
  });
  it.each(Object.keys(table))('%s', (name) => {
    expect(found.get(name) ?? []).toEqual([]);
  });
});
