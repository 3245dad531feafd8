import { expect, test } from 'vitest';
import { inspectDevice } from '../../../cli/src/inspect/adapters.ts';
import { diagnosisLines, isHealthy } from '../../../cli/src/inspect/doctor.ts';
import { inspectMachine } from '../../../cli/src/inspect/machine.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

test('an adapter is told with its features and limits, and computes what it should', async () => {
  const adapter = await inspectDevice(device.current, 'some');
  expect(adapter.check).toMatchObject({ passed: true, problem: null });
  expect(adapter.check.error).toBeGreaterThan(0);
  expect(adapter.limits.maxBufferSize).toBe(device.current.limits.maxBufferSize);
  expect(adapter.features['shader-f16']).toBe(device.current.features.has('shader-f16'));
});

test('what is wrong is told; the lines say which adapter is taken', async () => {
  const adapter = await inspectDevice(device.current, 'some');
  const machine = await inspectMachine('1.2.3', 'no/such/folder', ['llvmpipe: Mesa 25.0.7-2 (LLVM 15.0.6)']);
  expect([machine.mesa, machine.disk.free > 0, machine.versions.webgpu]).toEqual([
    '25.0.7-2',
    true,
    expect.stringMatching(/^\d+\.\d+\.\d+$/),
  ]);
  const taken = { name: adapter.name, because: 'it is' };
  const whole = { machine, adapters: [adapter], taken, problem: null, faster: null };
  expect(isHealthy(whole)).toBe(true);
  expect(diagnosisLines(whole)).toContain(`adapter ${adapter.name} (taken)`);

  const check = { passed: false, error: 3, milliseconds: 1, problem: 'an element differs by 3' };
  const wrong = {
    ...whole,
    adapters: [
      { ...adapter, check },
      { option: 'other', problem: 'no driver' },
    ],
  };
  expect(isHealthy(wrong)).toBe(false);
  expect(diagnosisLines(wrong).slice(-3)).toEqual([
    '  self-check     FAILED: an element differs by 3',
    '',
    "adapter 'other' could not be opened: no driver",
  ]);
  expect(isHealthy({ ...whole, taken: null, problem: 'no adapter' })).toBe(false);
});
