import type { Device } from '@zeroseg/core';
import type { WritableTensor } from '@zeroseg/core/internal';
import { verifyBase } from './base.ts';
import { Fields } from './manifest.ts';
import { verifyClip } from './models/clip.ts';
import { verifyClipDense } from './models/clip-dense.ts';
import { verifyGroupVit } from './models/groupvit.ts';
import { verifySegClip } from './models/segclip.ts';
import { verifySiglip } from './models/siglip.ts';
import { verifyTraining } from './models/training.ts';
import { verifyVit } from './models/vit.ts';
import { verifyOps } from './ops.ts';
import { FixtureFile, type FixtureTensors, Report, type VerifyRow } from './report.ts';
import { isRules, verifyRules } from './rules.ts';
import { verifyTokenizer } from './tokenizer.ts';

/** A fixture's manifest: its JSON, and a name for rows and messages. */
export interface Manifest {
  readonly name: string;
  readonly json: unknown;
}

/** Gives the tensors of a file that a manifest names; the file lies beside it. */
export type LoadTensors = (file: string) => Promise<FixtureTensors>;

export interface VerifyOptions {
  /** Gets every row as soon as it is there. */
  readonly onRow?: (row: VerifyRow) => void;
}

export interface Verification {
  readonly rows: readonly VerifyRow[];
  /** What was computed, by file of the fixture and then by its key. */
  readonly outputs: ReadonlyMap<string, ReadonlyMap<string, WritableTensor>>;
}

type Kind =
  | 'ops'
  | 'rules'
  | 'training'
  | 'base'
  | 'clip'
  | 'clip-dense'
  | 'groupvit'
  | 'segclip'
  | 'vit'
  | 'siglip'
  | 'tokenizer';

/** What a manifest is, by its content; undefined for JSON that is none. */
export function kindOf(json: unknown): Kind | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const has = (...names: string[]) => names.every((name) => Object.hasOwn(json, name));
  const config = (json as { config?: object }).config ?? {};
  if (has('checkpoint', 'expected') && 'leading_tokens' in config) return 'vit';
  if (has('checkpoint', 'expected', 'mean', 'std') && 'vision_config' in config) return 'siglip';
  const vision = (json as { config?: { vision?: object } }).config?.vision ?? {};
  if (has('checkpoint', 'expected', 'pipelines')) return 'clip-dense';
  if (has('checkpoint', 'expected', 'slide') && 'cross' in config) return 'segclip';
  if (has('checkpoint', 'expected')) return 'group_tokens' in vision ? 'groupvit' : 'clip';
  if (has('vocabulary', 'cases')) return 'tokenizer';
  if (has('family') || has('cases')) return 'ops';
  if (has('config', 'seed', 'parameters')) return 'base';
  if (has('config', 'file')) return 'training';
  return isRules(json) ? 'rules' : undefined;
}

/**
 * Holds this library against a reference fixture: runs what its manifest asks for and compares every number, by the
 * manifest's own tolerances. What cannot be run (an op that is not known, a tensor that is missing, a shape that does not
 * fit) is a failed row; nothing is skipped.
 *
 * ```ts
 * const { rows } = await verifyFixture(device, { name: 'softmax', json }, async (file) => readSafetensors(await fetchBytes(file)).tensors);
 * rows.every((row) => row.pass);
 * ```
 *
 * @throws DeviceError when the GPU is lost, and what `load` throws.
 */
export async function verifyFixture(
  device: Device,
  manifest: Manifest,
  load: LoadTensors,
  { onRow }: VerifyOptions = {},
): Promise<Verification> {
  const report = new Report(manifest.name, onRow);
  const kind = kindOf(manifest.json);
  if (kind === undefined) {
    report.fail('manifest', manifest.name, 'this JSON is no manifest of a fixture');
    return report;
  }
  const fields = new Fields(manifest.json, manifest.name);
  if (kind === 'rules') await report.part(kind, manifest.name, () => verifyRules(fields, report));
  else if (kind === 'tokenizer') await report.part(kind, manifest.name, () => verifyTokenizer(fields, report));
  else if (
    kind === 'clip' ||
    kind === 'clip-dense' ||
    kind === 'groupvit' ||
    kind === 'segclip' ||
    kind === 'vit' ||
    kind === 'siglip'
  ) {
    const [name, expectedName] = [fields.text('checkpoint'), fields.text('expected')];
    const checkpoint = { name, tensors: await load(name) };
    const expected = new FixtureFile(expectedName, await load(expectedName), report);
    const verify = {
      clip: verifyClip,
      'clip-dense': verifyClipDense,
      groupvit: verifyGroupVit,
      segclip: verifySegClip,
      vit: verifyVit,
      siglip: verifySiglip,
    }[kind];
    await report.part(kind, manifest.name, () => verify(device, fields, checkpoint, expected, report));
    expected.complainAboutUnused();
  } else {
    const name = fields.text('file');
    const tensors = await load(name);
    const file = new FixtureFile(name, tensors, report);
    await report.part(kind, manifest.name, async () => {
      if (kind === 'ops') await verifyFamily(device, fields, file, report);
      else if (kind === 'base') await verifyBase(device, fields, file, report);
      else await verifyTraining(device, fields, file, report);
    });
    file.complainAboutUnused();
  }
  if (report.rows.length === 0) report.fail(kind, manifest.name, 'the manifest asks for nothing');
  // What the GPU complains about only afterwards.
  await report.part(kind, 'GPU errors', () => device.settle());
  return report;
}

async function verifyFamily(device: Device, fields: Fields, file: FixtureFile, report: Report): Promise<void> {
  fields.text('family');
  await verifyOps(device, fields, file, report);
  fields.complainAboutUnused();
}
