import { expect, it } from 'vitest';
import { fittingMicro, trainingCost } from '../../../cli/src/plan/costs.ts';
import { estimatedMemory } from '../../../cli/src/plan/device-memory.ts';
import { gpuFacts } from '../../../cli/src/plan/dry-device.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { smallModel } from '../../support/training.ts';

const config = resolveConfig(smallModel);
const settings = { ...defaultSettings, batch: 6, micro: 1 };
const device = gpuFacts('a GPU');

it('takes the largest divisor of the batch whose bytes fit, with what a checkpoint copies', async () => {
  const costOf = async (micro: number) => {
    const { device: bytes, copy } = await trainingCost(device, { config, settings: { ...settings, micro }, ranks: 1 });
    return bytes + copy;
  };
  const all = await fittingMicro(device, { config, settings, ranks: 1, memory: 80e9 });
  expect(all.micro).toBe(6);
  const three = await costOf(3);
  const chosen = await fittingMicro(device, { config, settings, ranks: 1, memory: (three + 1000) / 0.9 });
  expect(chosen).toEqual({ micro: 3, bytes: three });
  const less = await fittingMicro(device, { config, settings, ranks: 1, memory: (three - 1000) / 0.9 });
  expect(less.micro).toBe(2);
  // A process's share of the batch is 3 images.
  expect((await fittingMicro(device, { config, settings, ranks: 2, memory: 80e9 })).micro).toBe(3);
  await expect(fittingMicro(device, { config, settings, ranks: 5, memory: 80e9 })).rejects.toThrow(
    'train: --micro auto: a batch of 6 cannot be shared evenly by 5 processes; choose a multiple of 5, or give --micro',
  );
  await expect(fittingMicro(device, { config, settings, ranks: 1, memory: 1e5 })).rejects.toThrow(
    /^one image of \[3, 32, 32\] at a time takes [\d.]+ MB with weights, optimizer and a checkpoint's copy, and nine tenths of 100\.0 kB are there; give --checkpoint, a smaller model \(--config, --set image=…\), or --gpu-memory if the device has more$/,
  );
});

it('estimates the memory of a device by its name, and says what it goes by', () => {
  const named = (name: string, vendor = 'nvidia', isSoftware = false) =>
    estimatedMemory({ name, isSoftware, adapter: { vendor, architecture: '' } as never });
  expect(named('NVIDIA H200')).toEqual({ bytes: 141e9, words: '141 GB that a device of this name has' });
  expect(named('NVIDIA A100-SXM4-80GB').bytes).toBe(80e9);
  expect(named('NVIDIA A100-PCIE-40GB').bytes).toBe(40e9);
  expect(named('NVIDIA GeForce RTX 4090').bytes).toBe(24e9);
  expect(named('a GPU')).toEqual({
    bytes: 8e9,
    words: '8 GB, as nothing is known of a GPU (nvidia): --gpu-memory says it',
  });
  expect(named('llvmpipe', 'mesa', true).words).toBe("half of the host's free memory");
  expect(named('Apple M3', 'apple').words).toBe("half of the host's memory, which the device shares");
});
