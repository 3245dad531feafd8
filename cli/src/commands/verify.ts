import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { Device } from '@zeroseg/core';
import { CheckpointError, readSafetensors, writeSafetensors } from '@zeroseg/core/nn';
import { Command } from 'commander';
import { FileError, isSystemError, readJson, systemReason, writeFileAtomic } from '../files/index.ts';
import {
  adapterOption,
  type Context,
  checkResultFolder,
  count,
  countIn,
  formatDuration,
  Interrupted,
  printLines,
  processTerminal,
  withDevice,
} from '../shell/index.ts';
import { FixtureError, kindOf, type LoadTensors, type VerifyRow, verifyFixture } from '../verify/index.ts';

interface VerifyArguments {
  readonly out?: string;
  readonly adapter?: string;
  readonly json?: boolean;
  readonly filter?: string;
}

/** A manifest on the disk. */
interface Found {
  readonly path: string;
  /** As rows and tables name it: its path below the folder that was given. */
  readonly name: string;
}

/** `zeroseg verify`: holds this installation against reference fixtures. */
export function verifyCommand(context: Context = { terminal: processTerminal }): Command {
  return new Command('verify')
    .description('compare what this machine computes with reference fixtures')
    .argument('<path...>', 'folder of fixtures (with those below it), a manifest (.json), or a .safetensors beside one')
    .option('--out <folder>', 'write what was computed, as safetensors under the keys of the fixtures')
    .option('--filter <text>', 'only manifests with this in their path')
    .option('--json', 'print the result as JSON')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExample:\n  zeroseg verify fixtures --filter ops\n\nThe exit code is 0 only if everything was compared and agrees.',
    )
    .action(async (paths: string[], options: VerifyArguments) => {
      const agreed = await verify(context, paths, options);
      if (!agreed) process.exitCode = 1;
    });
}

/** Verifies all fixtures under `paths`, prints, and tells whether everything agrees. */
export async function verify(context: Context, paths: readonly string[], options: VerifyArguments): Promise<boolean> {
  const { terminal } = context;
  const wanted = options.filter?.toLowerCase();
  const found = (await Promise.all(paths.map(findManifests)))
    .flat()
    .filter(({ path }) => wanted === undefined || path.toLowerCase().includes(wanted));
  if (found.length === 0) {
    const which = options.filter === undefined ? '' : ` with '${options.filter}' in its path`;
    throw new FileError('verify', paths.join(', '), `there is no manifest of a fixture here${which}`);
  }
  await refuseOthers(paths, found);
  await checkResultFolder('verify: --out', options.out);
  const began = performance.now();
  const rows: VerifyRow[] = [];
  const device = await withDevice(context, options.adapter, async (device, interruption) => {
    if (!options.json) terminal.log(`on ${device.name}`);
    for (const [i, manifest] of found.entries()) {
      if (interruption.signal) {
        terminal.note(`stopped after ${countIn(i, found.length, 'manifests')}`);
        throw new Interrupted(interruption.signal);
      }
      const start = performance.now();
      const done = await verifyManifest(device, manifest, options.out);
      rows.push(...done);
      if (!options.json) print(terminal.out, manifest, done, (performance.now() - start) / 1000);
    }
    return device.name;
  });
  const failed = rows.filter(({ pass }) => !pass).length;
  const seconds = (performance.now() - began) / 1000;
  if (options.json) {
    const json = JSON.stringify({ device, passed: rows.length - failed, failed, seconds, rows }, finite, 2);
    printLines(terminal.out, json);
  } else {
    printLines(terminal.out, `\n${rows.length - failed} passed, ${failed} failed (${formatDuration(seconds)})`);
  }
  return failed === 0;
}

/** JSON has no infinity. */
function finite(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? null : value;
}

/** What is wrong with the files becomes a failed row, so that the other fixtures are verified all the same. */
async function verifyManifest(device: Device, { path, name }: Found, out: string | undefined): Promise<VerifyRow[]> {
  const load: LoadTensors = async (file) => {
    const place = join(dirname(path), file);
    try {
      return readSafetensors(await readFile(place), place).tensors;
    } catch (error) {
      if (isSystemError(error)) throw new FileError('verify', place, systemReason(error));
      throw error;
    }
  };
  try {
    const { rows, outputs } = await verifyFixture(device, { name, json: await readJson(path) }, load);
    const strays = out === undefined ? [] : await writeOutputs(out, name, outputs);
    return [...rows, ...strays];
  } catch (error) {
    if (!(error instanceof FileError || error instanceof CheckpointError || error instanceof FixtureError)) throw error;
    return [failedRow(name, error instanceof FileError ? `${error.path}: ${error.reason}` : error.message)];
  }
}

/** @throws FileError where none of the files is a manifest: there is nothing to verify. */
async function refuseOthers(paths: readonly string[], found: readonly Found[]): Promise<void> {
  let problem: unknown;
  for (const { path } of found) {
    try {
      if (kindOf(await readJson(path)) !== undefined) return;
      problem ??= new FileError('verify', path, 'this JSON is no manifest of a fixture');
    } catch (error) {
      problem ??= error;
    }
  }
  if (found.length === 1) throw problem;
  throw new FileError(
    'verify',
    paths.join(', '),
    `none of ${count(found.length, 'JSON files')} is a manifest of a fixture`,
  );
}

/** Writes what was computed beside its manifest's place in `out`; a name that leads out of there becomes a failed row. */
async function writeOutputs(
  out: string,
  manifest: string,
  outputs: Awaited<ReturnType<typeof verifyFixture>>['outputs'],
): Promise<VerifyRow[]> {
  const strays: VerifyRow[] = [];
  for (const [file, tensors] of outputs) {
    const place = join(out, dirname(manifest), file);
    if (relative(out, place).split(sep)[0] === '..')
      strays.push(failedRow(manifest, `${file} is not in --out; it was not written`));
    else await writeFileAtomic(place, writeSafetensors(tensors), { within: out });
  }
  return strays;
}

/** What is wrong with a fixture's files. */
function failedRow(manifest: string, note: string): VerifyRow {
  return { manifest, family: 'file', name: manifest, error: Number.POSITIVE_INFINITY, tolerance: 0, pass: false, note };
}

/** Every manifest at a path: all JSON below a folder, one file, or the one that names a safetensors file. */
async function findManifests(path: string): Promise<Found[]> {
  const kind = await stat(path).catch((error: unknown) => {
    throw new FileError('verify', path, systemReason(error), { cause: error });
  });
  if (kind.isDirectory()) {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries
      // open_clip's settings lie beside its weights, and are no manifest.
      .filter(({ name }) => name.endsWith('.json') && name !== 'open_clip_config.json')
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !file.split(/[\\/]/).includes('node_modules'));
    return files.sort().map((file) => ({ path: file, name: relative(path, file) }));
  }
  if (path.endsWith('.json')) return [{ path, name: basename(path) }];
  const beside = (await findManifests(dirname(path))).filter(({ path: other }) => dirname(other) === dirname(path));
  for (const { path: other } of beside) {
    const json = await readJson(other).catch(() => undefined);
    if (kindOf(json) === undefined) continue;
    const { file, checkpoint, expected } = json as Record<string, unknown>;
    if ([file, checkpoint, expected].includes(basename(path))) return [{ path: other, name: basename(other) }];
  }
  throw new FileError('verify', path, 'no manifest (.json) in its folder names this file');
}

/** Failed rows that are printed of one manifest; the others are counted. */
const MAX_FAILURES = 20;

/** A line for each family of a manifest, then its failures in full. */
function print(out: (line: string) => void, { name }: Found, rows: readonly VerifyRow[], seconds: number): void {
  const families = new Map<string, VerifyRow[]>();
  for (const row of rows) families.set(row.family, [...(families.get(row.family) ?? []), row]);
  const lines = [...families].map(([family, members]) => {
    const worst = members.reduce((a, b) => (excess(b) > excess(a) ? b : a));
    const failed = members.filter(({ pass }) => !pass).length;
    return [
      failed > 0 ? 'FAIL' : 'pass',
      family,
      String(members.length),
      scientific(worst.error),
      scientific(worst.tolerance),
      failed > 0 ? `${failed} failed` : worst.name,
    ];
  });
  out('');
  out(`${name} (${seconds < 10 ? `${seconds.toFixed(1)} s` : formatDuration(seconds)})`);
  const table = [['', 'part', 'checks', 'worst error', 'tolerance', 'where'], ...lines];
  const widths = table[0]?.map((_, c) => Math.max(...table.map((line) => (line[c] ?? '').length))) ?? [];
  const right = new Set([2, 3, 4]);
  for (const line of table) {
    const cells = line.map((cell, c) => (right.has(c) ? cell.padStart(widths[c] ?? 0) : cell.padEnd(widths[c] ?? 0)));
    out(`  ${cells.join('  ').trimEnd()}`);
  }
  const failures = rows.filter(({ pass }) => !pass);
  for (const { family, name: tensor, error, tolerance, note } of failures.slice(0, MAX_FAILURES)) {
    const numbers = Number.isFinite(error) ? [`error ${scientific(error)}, tolerance ${scientific(tolerance)}`] : [];
    out(`  FAIL ${[`${family} ${tensor}`, ...numbers, ...(note ? [note] : [])].join(': ')}`);
  }
  if (failures.length > MAX_FAILURES) out(`  ... and ${failures.length - MAX_FAILURES} more`);
}

/** How close a row is to failing. */
function excess({ error, tolerance }: VerifyRow): number {
  if (error === 0) return 0;
  return tolerance > 0 ? error / tolerance : Number.POSITIVE_INFINITY;
}

function scientific(value: number): string {
  if (value === 0) return '0';
  return Number.isFinite(value) ? value.toExponential(1) : '-';
}
