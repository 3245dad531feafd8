/** Programs out of the package's source, to be run as processes of their own. */
import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll } from 'vitest';
import { sourceAliases } from './source.ts';

let number = 0;

/**
 * Bundles a program: a file, or its text, which imports the source as `ROOT/cli/src/files/files.ts`. Its file is removed after the
 * tests: call this at the top of a test file. It lies where the packages' dependencies are found.
 */
export async function buildProgram(source: { readonly file: string } | { readonly text: string }): Promise<string> {
  const folder = fileURLToPath(new URL(`../../node_modules/.zeroseg-test-${process.pid}-${number++}`, import.meta.url));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const root = fileURLToPath(new URL('../..', import.meta.url));
  await mkdir(folder, { recursive: true });
  const entry = 'file' in source ? source.file : join(folder, 'program.ts');
  if ('text' in source) await writeFile(entry, source.text.replaceAll("'ROOT/", `'${root}`));
  await build({
    configFile: false,
    logLevel: 'error',
    resolve: { alias: sourceAliases('node') },
    // The trained weights lie beside the file that says where.
    ssr: { external: ['@zeroseg/pretrained'] },
    build: {
      ssr: entry,
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: { output: { entryFileNames: 'program.mjs' } },
    },
  });
  return join(folder, 'program.mjs');
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end. `begun` may watch it, or kill it. */
export async function runProgram(
  args: readonly string[],
  { env = {}, begun }: { env?: Record<string, string>; begun?: (child: ReturnType<typeof spawn>) => void } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  begun?.(child);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out, err })));
}
