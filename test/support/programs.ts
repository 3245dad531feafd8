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
  const folder = await programFolder();
  const entry = 'file' in source ? source.file : await writeProgram(folder, 'program', source.text);
  await bundle(folder, { program: entry });
  return join(folder, 'program.mjs');
}

/** Bundles the texts of several programs at once, which share what they import; their files, under the same titles. */
export async function buildPrograms(texts: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const folder = await programFolder();
  const entries: Record<string, string> = {};
  for (const [title, text] of Object.entries(texts)) entries[title] = await writeProgram(folder, title, text);
  await bundle(folder, entries);
  return Object.fromEntries(Object.keys(texts).map((title) => [title, join(folder, `${title}.mjs`)]));
}

async function programFolder(): Promise<string> {
  const folder = fileURLToPath(new URL(`../../node_modules/.zeroseg-test-${process.pid}-${number++}`, import.meta.url));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  await mkdir(folder, { recursive: true });
  return folder;
}

async function writeProgram(folder: string, title: string, text: string): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const file = join(folder, `${title}.ts`);
  await writeFile(file, text.replaceAll("'ROOT/", `'${root}`));
  return file;
}

async function bundle(folder: string, entries: Readonly<Record<string, string>>): Promise<void> {
  await build({
    configFile: false,
    logLevel: 'error',
    resolve: { alias: sourceAliases('node') },
    // The trained weights lie beside the file that says where.
    ssr: { external: ['@zeroseg/pretrained'] },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: { input: entries, output: { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' } },
    },
  });
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
