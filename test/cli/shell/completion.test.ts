import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { completionScripts } from '../../../cli/src/completion/index.ts';
import { makeCommands } from '../../docs/command-reference.ts';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const run = promisify(execFile);

const shells = Object.keys(completionScripts);
const scripts = new Map<string, string>();

beforeAll(async () => {
  for (const shell of shells) scripts.set(shell, (await zeroseg('completion', shell)).out);
  await mkdir(join(base, 'my photos'));
  await writeFile(join(base, 'model.safetensors'), '');
  await writeFile(join(base, 'completion.sh'), scripts.get('bash') ?? '');
});

describe('zeroseg completion', () => {
  test.each(shells)('%s: every command and every long option is in the script', (shell) => {
    const script = scripts.get(shell) as string;
    for (const command of makeCommands()) {
      const name = command.name();
      const [opens, ends] = {
        bash: [`\n    ${name}) flags='`, "'"],
        zsh: [`\n    ${name})\n`, ';;'],
        fish: [`\ncomplete -c zeroseg -n '__fish_seen_subcommand_from ${name}'`, '\n\n'],
      }[shell as 'bash'] as [string, string];
      const from = script.indexOf(opens);
      expect(from, name).toBeGreaterThan(0);
      const part = script.slice(from + opens.length).split(ends)[0] as string;
      for (const { long } of [...command.options, { long: '--quiet' }, { long: '--options' }]) {
        if (shell === 'fish') expect(part).toContain(` -l ${long?.slice(2)} `);
        else expect(part.split(/[\s'[)*]+/)).toContain(long);
      }
    }
  });

  /** What bash offers for the last word of a line. */
  async function offered(line: string): Promise<string[]> {
    // As bash's own line editor parts words: at blanks, and an = is a word.
    const words = line.split(/ |(?<==)|(?==)/);
    const script = `source ./completion.sh; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zeroseg; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', ...words], { cwd: base });
    return stdout.split('\n').filter((one) => one !== '');
  }

  test('bash offers commands, options, choices, files and folders', async () => {
    expect(await offered('zeroseg tr')).toEqual(['train', 'train-teacher']);
    expect(await offered('zeroseg -')).toEqual(expect.arrayContaining(['--version', '--quiet', '--options', '--help']));
    expect(await offered('zeroseg train --sa')).toEqual(['--save-every', '--sample-every']);
    expect(await offered('zeroseg --quiet train --prec')).toEqual(['--precision']);
    expect(await offered('zeroseg train --precision ')).toEqual(['f32', 'f16']);
    expect(await offered('zeroseg train --precision=f3')).toEqual(['f32']);
    expect(await offered('zeroseg train --precision=')).toEqual(['f32', 'f16']);
    expect(await offered('zeroseg segment --mode w')).toEqual(['whole']);
    expect(await offered('zeroseg train --cache ')).toEqual(['my photos']);
    expect(await offered('zeroseg segment m')).toEqual(expect.arrayContaining(['my photos', 'model.safetensors']));
    expect(await offered('zeroseg segment --model b')).toEqual(['built-in']);
    expect(await offered('zeroseg segment --model mo')).toEqual(['model.safetensors']);
    expect(await offered('zeroseg train --config t')).toEqual(['tiny']);
    expect(await offered('zeroseg words --options mod')).toEqual(['model.safetensors']);
    expect(await offered('zeroseg experiment table')).toEqual([
      'table1',
      'table2',
      'table3',
      'table4',
      'table5',
      'table6',
      'table8',
      'table9',
    ]);
    expect(await offered('zeroseg completion ')).toEqual(['bash', 'zsh', 'fish']);
    // A number, and a command without arguments.
    expect(await offered('zeroseg train --steps ')).toEqual([]);
    expect(await offered('zeroseg words ')).toEqual([]);
  });

  test('names the shells where none or another is asked for', async () => {
    expect((await zeroseg('completion')).err).toMatchInlineSnapshot(
      `"zeroseg completion: missing: <shell>. See zeroseg completion --help."`,
    );
    expect((await zeroseg('completion', 'tcsh')).err).toMatchInlineSnapshot(
      `"zeroseg completion: command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish. See zeroseg completion --help."`,
    );
  });
});
