import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLabelMap } from '../../../cli/src/photos/index.ts';
import { temporaryFolder, useCommandLine, writeVoc } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

async function refused(...args: string[]): Promise<string> {
  const { code, err } = await zeroseg('finetune', ...args);
  expect(code).toBe(1);
  return err.replaceAll(base, 'BASE').replace(/^note: .*\n/gm, '');
}
async function losses(name: string): Promise<number[]> {
  const lines = (await readFile(at(name, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line).loss);
}
const small = ['--batch', '4', '--limit', '3', '--scale-min', '0.8', '--scale-max', '1.2'];
const from = ['--backbone', 'built-in', '--data', 'scenes', '--root', at('scenes')];

describe('finetune', () => {
  test('trains, scores and goes on to the same losses as one that was not interrupted', async () => {
    expect((await zeroseg('scenes', '--out', at('scenes'), '--count', '8', '--classes', '3')).code).toBe(0);
    const whole = await zeroseg(
      'finetune',
      ...from,
      ...small,
      '--out',
      at('whole'),
      '--steps',
      '6',
      '--score-every',
      '4',
    );
    expect(whole.code, whole.err).toBe(0);
    expect(whole.out).toMatch(/scenes: 8 photos, 18 classes; 42 tensors of built-in, crops of 32 pixels, on /);
    expect(whole.out).toMatch(/step 4: mean IoU \d+\.\d\d %; \d+\.\d\d % of pixels right/);
    expect(whole.out).toMatch(/^mean IoU \d+\.\d\d %; \d+\.\d\d % of pixels right on 3 photos$/m);
    expect(whole.err).toMatch(/3 of 3 photos to score on are among those to learn from; give others by --score-root/);
    expect((await readdir(at('whole'))).sort()).toEqual([
      ...['checkpoints', 'evaluation', 'finetune.json', 'metrics.jsonl', 'model.safetensors', 'result.json'],
    ]);
    const result = JSON.parse(await readFile(at('whole', 'result.json'), 'utf8'));
    expect(result).toMatchObject({ data: 'scenes', photos: 3, steps: 6 });
    expect(result.classes).toHaveLength(18);
    // Ground without a name, the label 0, is neither learnt nor counted.
    expect(result.classes[0]).toMatchObject({ name: 'background', pixels: 0 });

    expect((await zeroseg('finetune', ...from, ...small, '--out', at('half'), '--steps', '3')).code).toBe(0);
    const rest = await zeroseg('finetune', '--out', at('half'), '--resume', '--steps', '6', '--limit', '3');
    expect(rest.code, rest.err).toBe(0);
    expect(rest.out).toMatch(/going on after step 3/);
    expect(await losses('half')).toEqual(await losses('whole'));
    expect(await readFile(at('half', 'model.safetensors'))).toEqual(await readFile(at('whole', 'model.safetensors')));
  });

  test('learns from the labels of another model, not from the truth', async () => {
    const { code, out, err } = await zeroseg(
      ...['finetune', ...from, ...small, '--out', at('pseudo'), '--steps', '2', '--pseudo', 'built-in', '--frozen'],
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/mean IoU/);
    const [pseudo, truth] = [await losses('pseudo'), await losses('whole')];
    expect(pseudo[0]).not.toBe(truth[0]);
    // What the model said is kept beside the run: of each photo once.
    expect((await readdir(at('pseudo', 'pseudo-labels'))).length).toBeGreaterThan(0);
  });

  test("asks a CLIP for its authors' words, by their thresholds, as eval does", async () => {
    await writeVoc(at('voc'), 3);
    const data = ['--data', 'voc', '--root', at('voc')];
    const model = 'clip:built-in:sclip';
    const scored = await zeroseg('eval', ...data, '--model', model, '--json');
    expect(scored.code, scored.err).toBe(0);
    const { code, err } = await zeroseg(
      ...['finetune', '--backbone', 'built-in', ...data, '--split', 'val', ...small, '--frozen'],
      ...['--out', at('sclip'), '--steps', '2', '--pseudo', model],
    );
    expect(code, err).toBe(0);
    expect(err).toMatch(/does not know \d+ of 20 classes/);
    const places = (await readdir(at('sclip', 'pseudo-labels'))).map((name) => at('sclip', 'pseudo-labels', name));
    const kept = await Promise.all(places.map(readLabelMap));
    const counts = new Array<number>(21).fill(0);
    for (const { data: labels } of kept) for (const label of labels) counts[label]!++;
    const { confusion } = JSON.parse(scored.out) as { confusion: number[][] };
    expect(kept).toHaveLength(3);
    expect(counts).toEqual(counts.map((_, c) => confusion.reduce((sum, row) => sum + row[c]!, 0)));
  });

  test('says what is wrong', async () => {
    const wrong = [
      [...from, '--out', at('whole')],
      [...from, '--out', at('new'), '--crop', '30'],
      [...from, '--out', at('new'), '--scale-min', '3'],
      [...from, '--out', at('new'), '--clip', 'built-in'],
      ['--backbone', 'built-in', '--data', 'stars', '--root', at('scenes'), '--out', at('new')],
      ['--backbone', at('scenes', 'classes.json'), '--data', 'scenes', '--root', at('scenes'), '--out', at('new')],
      ['--out', at('whole'), '--resume', '--lr', '0.5'],
      ['--out', at('whole'), '--resume', '--steps', '2'],
      ['--out', at('new'), '--resume'],
    ];
    const told: string[] = [];
    for (const args of wrong) told.push(await refused(...args));
    expect(told).toMatchInlineSnapshot(`
      [
        "zeroseg: finetune: BASE/whole: there is a run in this folder; resume it, or choose another folder",
        "zeroseg: 'crop' must be a multiple of the backbone's patches of 8 pixels; got 30",
        "zeroseg: finetune: 'scale_min' must be at most 'scale_max'; got 3 and 2",
        "zeroseg: finetune: --clip is for --pseudo: it names the CLIP of the model that labels photos",
        "zeroseg: finetune: --data must be one of voc, voc20, context, context59, coco, coco-instances, coco-panoptic, stuff, ade, cityscapes, folder, scenes; got 'stars'",
        "zeroseg: BASE/scenes/classes.json: this is no safetensors file: such a file begins with the length of its header",
        "zeroseg: finetune: BASE/whole was begun with --lr 0.001, not 0.5; leave it out, or choose another --out",
        "zeroseg: finetune: BASE/whole was begun with --steps 6, not 2; steps can only become more",
        "zeroseg: finetune: BASE/new: there is no run to go on with; leave --resume out to begin one",
      ]
    `);
    expect(await readdir(base)).not.toContain('new');
  });
});
