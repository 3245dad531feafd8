import type { Manifest } from '../../cli/src/verify/index.ts';
import type { StoredDtype, StoredTensor } from '../../src/nn/safetensors/index.ts';
import { loadFixture } from './fixture.ts';

/** A manifest of `test/fixtures`, as `verify` takes it; a copy, which a test may change. */
export async function manifestOf(name: string): Promise<Manifest> {
  const { manifest: json } = await loadFixture(name);
  return { name, json: structuredClone(json) };
}

/** Reads the files beside a manifest. `change` may alter their tensors, for fixtures that must fail. */
export function fixtureLoader(name: string, change: (tensors: Map<string, StoredTensor>) => void = () => {}) {
  const folder = name.slice(0, name.lastIndexOf('/') + 1);
  return async (file: string): Promise<Map<string, StoredTensor>> => {
    const { tensors } = await loadFixture(folder + file.replace(/\.safetensors$/, ''));
    const stored = [...tensors].map(([key, { dtype, shape, data }]): [string, StoredTensor] => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return [key, { file, name: key, dtype: dtype as StoredDtype, shape, bytes }];
    });
    const found = new Map(stored);
    change(found);
    return found;
  };
}

/** The rows of a verification that do not pass, in words. */
export const failuresOf = (
  rows: readonly { pass: boolean; family: string; name: string; note?: string }[],
): readonly string[] => rows.filter(({ pass }) => !pass).map(({ family, name, note }) => `${family} ${name}: ${note}`);
