import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { svg } from '../../../cli/src/bench/charts.ts';
import {
  type ExperimentResults,
  experimentChart,
  experimentTable,
} from '../../../cli/src/reports/experiment-report.ts';
import { experiments } from '../../../src/zeroseg/studies/ablations.ts';
import type { EndedRun } from '../../../src/zeroseg/studies/orderings.ts';
import type { RunScore } from '../../../src/zeroseg/studies/score-run.ts';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

const score = (objects: number): RunScore => ({
  all: objects / 4,
  objects,
  ground: objects / 2,
  accuracy: 0.4,
  groupsUsed: 4.5,
  namesPresent: 0.6,
  chance: 0.012,
});

const about = {
  version: '1.2.3',
  adapter: 'a GPU',
  command: 'zeroseg experiment table4 --seeds 1,2',
  seeds: [1, 2],
  steps: 300,
  teacher: 'small sha256:abc',
  preset: 'mixed',
  training: { count: 1024, seed: 1 },
  scoring: { count: 200, seed: 500_000_001 },
  names: 54,
  isQuick: false,
};

const runsOf = (values: Record<string, readonly number[]>): EndedRun[] =>
  Object.entries(values).flatMap(([setting, all]) =>
    all.map((objects, i) => ({ setting, seed: i + 1, score: score(objects) })),
  );

describe('the table', () => {
  it('has means and deviations beside the paper, and says which orderings came out', () => {
    const results: ExperimentResults = {
      experiment: experiments.table4,
      runs: runsOf({ base: [0.1, 0.14], 'multi-scale': [0.2, 0.22], matching: [0.4, 0.3], both: [0.31, 0.33] }),
      planned: 8,
      about,
    };
    expect(experimentTable(results).join('\n')).toMatchInlineSnapshot(`
      "# Table 4: losses

      What do multi-scale distillation and segment matching add?

      |               | paper, VOC | all names |    objects |     ground | pixels right | segments used | z names an object |
      | ------------- | ---------: | --------: | ---------: | ---------: | -----------: | ------------: | ----------------: |
      | Base          |       21.1 | 3.0 ± 0.7 | 12.0 ± 2.8 |  6.0 ± 1.4 |   40.0 ± 0.0 |     4.5 ± 0.0 |        60.0 ± 0.0 |
      | + multi-scale |       28.5 | 5.3 ± 0.4 | 21.0 ± 1.4 | 10.5 ± 0.7 |   40.0 ± 0.0 |     4.5 ± 0.0 |        60.0 ± 0.0 |
      | + matching    |       38.6 | 8.8 ± 1.8 | 35.0 ± 7.1 | 17.5 ± 3.5 |   40.0 ± 0.0 |     4.5 ± 0.0 |        60.0 ± 0.0 |
      | both          |       40.8 | 8.0 ± 0.4 | 32.0 ± 1.4 | 16.0 ± 0.7 |   40.0 ± 0.0 |     4.5 ± 0.0 |        60.0 ± 0.0 |

      Mean IoU in percent over all names, over objects and over ground, ± standard deviation over seeds. The paper trains on ImageNet
      and scores on PASCAL VOC; here the student is small, and what it learns from and is scored on is made up. Compare orders, not numbers.

      Guessing scores 1.2 % over all names.

      ## The paper's orderings

      Of mean IoU over objects: PASCAL VOC has no other names.

      - **Base < + multi-scale**: came out, in 2 of 2 seeds (Base 12.0 %, + multi-scale 21.0 %).
      - **+ multi-scale < + matching**: came out, in 2 of 2 seeds (+ multi-scale 21.0 %, + matching 35.0 %).
      - **+ matching ≤ both**: did **not** come out: + matching is not below both, in 1 of 2 seeds (+ matching 35.0 %, both 32.0 %); the deviations are larger than some of these differences.

      ## How

      \`zeroseg experiment table4 --seeds 1,2\`

      8 of 8 runs (seeds 1, 2), 300 steps each on 1024 scenes (mixed); scored on
      200 unseen crowded scenes with 54 names. Teacher small sha256:abc; version 1.2.3, a GPU."
    `);
  });

  it('has the time of a step where it was measured, relative to one with a decoder', () => {
    const { settings } = experiments.table5;
    const results: ExperimentResults = {
      experiment: experiments.table5,
      runs: runsOf({ 0: [0.1], 0.6: [0.2] }),
      planned: 8,
      times: {
        clock: 'processor',
        seconds: {
          decoder: 0.5,
          ...Object.fromEntries(settings.map(({ key }, i) => [key, i === 0 ? 0.42 : 0.5 - 0.04 * i])),
        },
      },
      about: { ...about, seeds: [1], isQuick: true },
    };
    expect(experimentTable(results).join('\n')).toMatchInlineSnapshot(`
      "# Table 5: mask ratio

      How much may be hidden from the encoder, and what does that save?

      |     | paper, VOC | all names | objects | ground | pixels right | segments used | z names an object | s a step | time saved | paper's |
      | --- | ---------: | --------: | ------: | -----: | -----------: | ------------: | ----------------: | -------: | ---------: | ------: |
      | 0   |       35.6 |       2.5 |    10.0 |    5.0 |         40.0 |           4.5 |              60.0 |    0.500 |        0 % |     0 % |
      | 0.2 |       37.6 |         – |       – |      – |            – |             – |                 – |    0.460 |        8 % |    15 % |
      | 0.3 |       38.7 |         – |       – |      – |            – |             – |                 – |    0.420 |       16 % |    19 % |
      | 0.4 |       40.4 |         – |       – |      – |            – |             – |                 – |    0.380 |       24 % |    26 % |
      | 0.5 |       39.8 |         – |       – |      – |            – |             – |                 – |    0.340 |       32 % |    32 % |
      | 0.6 |       40.8 |       5.0 |    20.0 |   10.0 |         40.0 |           4.5 |              60.0 |    0.300 |       40 % |    36 % |
      | 0.7 |       33.3 |         – |       – |      – |            – |             – |                 – |    0.260 |       48 % |    39 % |
      | 0.8 |       32.8 |         – |       – |      – |            – |             – |                 – |    0.220 |       56 % |    43 % |

      Mean IoU in percent over all names, over objects and over ground, ± standard deviation over seeds. The paper trains on ImageNet
      and scores on PASCAL VOC; here the student is small, and what it learns from and is scored on is made up. Compare orders, not numbers.

      Guessing scores 1.2 % over all names.

      Time is processor time, all cores together, the median of steps that took turns, relative to a step that hides one patch, and so has a decoder: 0.500 s.
      With no patch hidden there is nothing to rebuild, and no decoder: 0.420 s.

      ## The paper's orderings

      Of mean IoU over objects: PASCAL VOC has no other names.

      - **time per step falls with the mask ratio**: came out (0 0.500 s, 0.2 0.460 s, 0.3 0.420 s, 0.4 0.380 s, 0.5 0.340 s, 0.6 0.300 s, 0.7 0.260 s, 0.8 0.220 s).
      - **0.6 is the best ratio**: not known, runs are missing.
      - **0.7 and 0.8 are worse than no masking**: not known, runs are missing.

      ## How

      With \`--quick\`: too short to mean anything.

      \`zeroseg experiment table4 --seeds 1,2\`

      2 of 8 runs (seeds 1), 300 steps each on 1024 scenes (mixed); scored on
      200 unseen crowded scenes with 54 names. Teacher small sha256:abc; version 1.2.3, a GPU."
    `);
    expect(experimentChart(results).texts.map(({ text }) => text)).toContain('Here: time saved, %');
  });
});

describe('the plot', () => {
  it('draws means, deviations and seeds, and the paper beside', () => {
    const chart = experimentChart({
      experiment: experiments.table4,
      runs: runsOf({ base: [0.1, 0.14], both: [0.31] }),
      planned: 8,
      about,
    });
    expect(chart.texts.map(({ text }) => text).join('\n')).toMatchInlineSnapshot(`
      "Table 4: losses
      What do multi-scale distillation and segment matching add?
      Here: mean IoU over objects, %
      Base
      12.0 ± 2.8
      + multi-scale
      –
      + matching
      –
      both
      31.0
      The paper: mean IoU on PASCAL VOC, %
      Base
      21.1
      + multi-scale
      28.5
      + matching
      38.6
      both
      40.8"
    `);
    const drawn = svg(chart);
    // Four bars of the paper and two of ours; a dot for every seed.
    expect(drawn.match(/<rect /g)).toHaveLength(1 + 4 + 2);
    expect(drawn.match(/<circle /g)).toHaveLength(3);
    expect(drawn).not.toMatch(/NaN|undefined|Infinity/);
  });
});

/** In MB. */
async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => stat(join(parentPath, name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0) / 1e6;
}

describe('zeroseg experiment', () => {
  it('refuses an experiment that there is not', async () => {
    expect(await zeroseg('experiment', 'table12', '--out', at('none'))).toMatchInlineSnapshot(`
      {
        "code": 1,
        "err": "zeroseg: experiment: there is no 'table12'; give beyond, fig3, fig4, fig5, fig6, table1, table2, table3, table4, table5, table6, table8, table9",
        "out": "",
      }
    `);
  });

  it.each([
    [['--set', 'assign_rounds=-1'], "configuration: 'assign_rounds' must be a whole number from 0 to 1000; got -1"],
    [['--set', 'batch=4096'], "training: 'batch' (4096) is larger than the data set (1024 photos)"],
    [['--init', 'nofile'], 'nofile: there is no such file or folder'],
    [['--config', 'small'], "there is no configuration 'small'"],
    [['--seeds', '1,2,1'], 'It must name each number once; 1 comes twice.'],
  ])('%s: refused before anything is made', async (words, message) => {
    const { code, err } = await zeroseg(
      'experiment',
      'table4',
      '--out',
      at('wrong'),
      '--clip',
      'random-tiny',
      ...words,
    );
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(await readdir(base)).not.toContain('wrong');
  });

  it('makes scenes, trains, scores and renders; again, it only renders', async () => {
    const args = [
      '--out',
      at('out'),
      '--clip',
      'random-tiny',
      '--quick',
      '--seeds',
      '4',
      '--unseen',
      '2',
      '--scenes',
      '8',
      '--set',
      'stem=patch',
      // A quarter of the patches.
      '--set',
      'image=32',
      '--init',
      'new',
      '--set',
      'batch=4',
    ];
    const planned = await zeroseg('experiment', 'table4', ...args, '--steps', '2', '--plan');
    expect(planned.code, planned.err).toBe(0);
    expect(planned.out).toMatch(/^Base: 1 run of 2 steps, about .* \(\d+\.\d+ s a step\)$/m);
    expect(planned.out).toMatch(/^8 scenes and what the teacher sees in them: about .*, [\d.]+ [kM]B$/m);
    expect(await readdir(base)).not.toContain('out');
    const first = await zeroseg('experiment', 'table4', ...args, '--steps', '2');
    expect(first.code, first.err).toBe(0);
    expect(first.out).toContain('4 of 4 runs (seeds 4), 2 steps each on 8 scenes (objectCentric)');
    const folder = at('out', 'table4');
    expect((await readdir(folder)).sort()).toEqual(['plot.png', 'plot.svg', 'results.json', 'table.md']);
    const results = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8'));
    expect(results.runs.map(({ setting, seed }: EndedRun) => `${setting} ${seed}`)).toEqual([
      'base 4',
      'multi-scale 4',
      'matching 4',
      'both 4',
    ]);
    expect(results.config.w_compose).toBe(0);
    for (const run of results.runs) {
      expect(run.score.groupsUsed).toBeGreaterThanOrEqual(1);
      expect(run.score.objects).toBeGreaterThanOrEqual(0);
    }
    const again = await zeroseg('experiment', 'fig3', ...args, '--steps', '2');
    expect(again.code, again.err).toBe(0);
    expect(again.out).toContain('3 of 3 runs done before');
    expect((await readFile(at('out', 'fig3.png'))).length).toBeGreaterThan(1000);

    // A plan tells the bytes that are there afterwards, and leaves out what is done.
    const told = /; ([\d.]+) MB on the disk$/m.exec(planned.out)![1]!;
    expect((await bytesIn(at('out', 'data'))) + (await bytesIn(at('out', 'runs')))).toBeCloseTo(Number(told), 0);
    const more = await zeroseg(
      'experiment',
      'table4',
      ...args.with(args.indexOf('4'), '4,5'),
      '--steps',
      '2',
      '--plan',
    );
    expect(more.out).toMatch(/^both: 1 of 2 runs done, 1 run of 2 steps, about/m);
    expect(more.out).toContain('8 scenes and what the teacher sees in them: there, or begun');
    const done = await zeroseg('experiment', 'fig3', ...args, '--steps', '2', '--plan');
    expect(done.out.trim()).toBe('3 of 3 runs done: nothing is left to train');

    // Without names for grounds, over objects and background: other scenes, other runs.
    const fair = await zeroseg('experiment', 'table4', ...args, '--steps', '1', '--classes', '3', '--objects-only');
    expect(fair.code, fair.err).toBe(0);
    expect(fair.out).toContain('- **Base < + multi-scale**: not known, runs are missing. from Base to + multi-scale');
    const { rows, scored, command } = JSON.parse(await readFile(join(folder, 'fair.json'), 'utf8'));
    expect(rows.map(({ seeds }: { seeds: number[] }) => seeds)).toEqual([[4], [4], [4], [4]]);
    expect(scored).toEqual({
      choosing: { seed: 500_000_201, count: 1 },
      first: { seed: 500_000_301, count: 2 },
      crowded: { seed: 500_000_401, count: 2 },
    });
    expect(command).toContain('--objects-only');
    for (const { first } of rows) expect(first.mean).toBeGreaterThan(0);
    const figure = await readFile(at('out', 'fig3.png'));
    const objects = [...args, '--steps', '1', '--classes', '3', '--objects-only'];
    const drawn = await zeroseg('experiment', 'fig3', ...objects);
    expect(drawn.code, drawn.err).toBe(0);
    expect(drawn.out).toContain('3 of 3 runs done before');
    // Other names, other scenes, and what scores too little is left out.
    expect(figure.equals(await readFile(at('out', 'fig3.png')))).toBe(false);
    const beyond = await zeroseg('experiment', 'beyond', ...args, '--objects-only');
    expect(beyond.err).toContain('--objects-only is for table3, table4, table5, fig3; leave it out for beyond');
  });
});
