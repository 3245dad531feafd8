import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtInStudent } from '../../../cli/src/weights/built-in.ts';
import { readSafetensors, toFloat32, writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { modelInfo } from '../../../src/zeroseg/model/model-file.ts';
import { temporaryFolder, useCommandLine, writePhotos, writeVoc } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]): string => join(base, ...names);
await writePhotos(at('photos'), 1);
const photo = at('photos/photo-0.png');

/** The built-in student with other metadata. */
async function otherStudent(name: string, metadata: Readonly<Record<string, string>>): Promise<string> {
  const stored = readSafetensors(new Uint8Array(await readFile(await builtInStudent())), 'student');
  const entries = [...stored.tensors].map(
    ([key, tensor]) => [key, { dtype: 'F16', shape: tensor.shape, data: toFloat32(tensor) }] as const,
  );
  await writeFile(at(name), writeSafetensors(entries, { ...stored.metadata, ...metadata }));
  return at(name);
}

describe('zeroseg words', () => {
  test('lists what the built-in teacher knows', async () => {
    const { code, out } = await zeroseg('words');
    expect([code, out]).toMatchInlineSnapshot(`
      [
        0,
        "built-in knows 54 names and 91 synonyms (in brackets); it has seen drawings only

      Objects
        dog (puppy, hound, doggy), cat (kitten, kitty), car (automobile, sedan), tree (oak, oak tree),
        apple, umbrella (parasol), fish (tropical fish), house (cottage, home), banana (plantain),
        clock (alarm clock), elephant (pachyderm), bicycle (bike), butterfly (moth), chair (seat),
        guitar (electric guitar), airplane (plane, aeroplane, jet), frog (toad), strawberry (berry),
        shirt (t-shirt, tee shirt), boat (sailboat, yacht), penguin (emperor penguin),
        book (open book, novel), pizza (pizza slice), cactus (saguaro), key (door key),
        train (locomotive, steam engine), sunflower, zebra, balloon (party balloon),
        cup (coffee cup, teacup), shoe (sneaker, running shoe), rocket (spaceship, space rocket),
        mushroom (toadstool, fungus), snail (slug, escargot), hat (top hat, tophat),
        bus (school bus, minibus), carrot, owl (barn owl), ball (soccer ball, football), crab

      Grounds
        sky (blue sky, clouds, cloudy sky), night (night sky, stars, starry sky),
        grass (lawn, meadow, green grass), water (sea, lake, waves), sand (beach, desert, yellow sand),
        snow (white snow, snowfield), brick wall (bricks, red bricks, wall of bricks),
        wood (planks, wooden floor, wooden boards), road (street, asphalt), tiles (tiled floor, tiling),
        fire (flames, blaze), leaves (foliage, leafage), stones (cobblestones, pebbles, rocks),
        curtain (drapes, drapery)

      Before any of them: large, big, small, little, black, white, grey, pink, red, brown, yellow, green, blue, purple",
      ]
    `);
    const json = JSON.parse((await zeroseg('words', '--json')).out);
    expect([Object.keys(json), Object.keys(json.objects).length, Object.keys(json.grounds).length]).toEqual([
      ['clip', 'any_word', 'seen', 'objects', 'grounds', 'adjectives'],
      40,
      14,
    ]);
    expect([json.any_word, json.objects.cat]).toEqual([false, ['kitten', 'kitty']]);
  });

  test('a CLIP that says nothing of its words may be asked for any', async () => {
    const { code, out } = await zeroseg('words', '--clip', 'random-tiny');
    expect([code, out]).toEqual([
      0,
      'random-tiny does not limit its words: any may be asked for, in English as a rule',
    ]);
  });
});

describe('zeroseg segment', () => {
  test('with a photo and classes alone: unknown words are left out, and it says what it took', async () => {
    const { code, out, err } = await zeroseg(
      ...['segment', photo, '--classes', 'Cats, gras, grass, unicorn', '--templates', 'identity'],
      ...['--mode', 'whole', '--short', '32', '--out', at('out')],
    );
    expect([code, out.split('\n').slice(0, 2)]).toEqual([
      0,
      ['model: built-in, since --model is not given', 'CLIP: built-in, which made the features of the model'],
    ]);
    expect(err).toMatchInlineSnapshot(`
      "left out, since the CLIP built-in does not know them: "gras" (did you mean grass?), "unicorn"; \`zeroseg words\` lists what it knows
      the CLIP built-in has seen drawings only, never a photo: what it names in photos is mostly wrong"
    `);
    const { names, unknown, options } = JSON.parse(await readFile(at('out/photo-0.json'), 'utf8'));
    const sheet = await readFile(at('out/contact-sheet.html'), 'utf8');
    expect(sheet.match(/(?<=<p class="note">).*(?=<)/g)).toEqual([
      'The CLIP built-in has seen drawings only, never a photo: what it names in photos is mostly wrong.',
      'Left out, since the CLIP built-in does not know them: &#34;gras&#34; (did you mean grass?), &#34;unicorn&#34;.',
    ]);
    // The rule of naming is that of the model's file.
    expect([names, unknown, options.scoring]).toEqual([['Cats', 'grass'], ['gras', 'unicorn'], 'softmax']);
  });

  test('a class with a word that is known goes by that, and keeps its name', async () => {
    const { code, err } = await zeroseg(
      ...['segment', photo, '--classes', 'gatto|cat, prato', '--templates', 'identity', '--mode', 'whole'],
      ...['--short', '32', '--out', at('italian')],
    );
    expect([code, err.split('; ')[0]]).toEqual([
      0,
      'left out, since the CLIP built-in does not know them: "gatto" (its class goes by "cat"), "prato"',
    ]);
    const { names, unknown, classes } = JSON.parse(await readFile(at('italian/photo-0.json'), 'utf8'));
    expect([names, unknown, classes[0].name]).toEqual([['gatto'], ['gatto', 'prato'], 'gatto']);
  });

  test('is refused when no word is left, before anything else', async () => {
    const { code, err } = await zeroseg('segment', photo, '--classes', 'unicorn, gras', '--out', at('none'));
    expect([code, err]).toMatchInlineSnapshot(`
      [
        1,
        "zeroseg: --classes: the CLIP built-in knows 145 words, and not "unicorn", "gras" (did you mean grass?); \`zeroseg words\` lists those that it knows",
      ]
    `);
  });

  test('a model of another teacher needs its CLIP, and is told how to get it', async () => {
    const teacher = `clip-vit-base-patch16 sha256:${'a'.repeat(64)}`;
    const model = await otherStudent('other.safetensors', { teacher });
    const { code, err } = await zeroseg('segment', photo, '--classes', 'cat', '--model', model, '--out', at('none'));
    expect([code, err.replaceAll(base, 'BASE')]).toMatchInlineSnapshot(`
      [
        1,
        "zeroseg: --clip is missing: BASE/other.safetensors learnt from clip-vit-base-patch16 (aaaaaaaaaaaa…); give the folder of that CLIP by --clip. OpenAI's are had by: zeroseg download openai/clip-vit-base-patch16 --out models/clip-vit-base-patch16",
      ]
    `);
  });

  test('a rule of naming that makes no sense is a damaged file', async () => {
    for (const naming of [
      '{"scoring":"best"}',
      'nonsense',
      '{"threshold":-1}',
      '{"groups":[0]}',
      '{"refine":{"steps":-1}}',
      '{"pamr":{"dilations":[0]}}',
    ]) {
      const model = await otherStudent('naming.safetensors', { naming });
      const { code, err } = await zeroseg('segment', photo, '--classes', 'cat', '--model', model, '--out', at('none'));
      expect([code, err]).toEqual([
        1,
        expect.stringContaining('the rule of naming in its metadata does not make sense'),
      ]);
    }
  });
});

test('zeroseg export writes how a model is best used', async () => {
  const model = at('exported.safetensors');
  const { code } = await zeroseg(
    'export',
    '--model',
    'built-in',
    '--background',
    '0.3',
    '--short',
    '96',
    ...'--assignment soft --assignment-temperature 2 --centre 0.25 --groups 16,16'.split(' '),
    ...'--flip --prior 0.6 --pamr-dilations 1,2'.split(' '),
    '--out',
    model,
  );
  const info = modelInfo(readSafetensors(new Uint8Array(await readFile(model)), model), model);
  expect([code, info.naming]).toEqual([
    0,
    {
      ...{
        scoring: 'softmax',
        threshold: 0.3,
        scale: 20,
        short: 96,
        assignment: 'soft',
        assignmentTemperature: 2,
        centre: 0.25,
        prior: 0.6,
        groups: [16, 16],
        flip: true,
      },
      refine: { dilations: [1, 2] },
    },
  ]);

  // score follows the file; its options win. One sentence a name, not eighty, of which the file says nothing.
  const scores = async (...more: string[]) => {
    const short = ['--scenes', '1', '--templates', 'identity'];
    const { code, out } = await zeroseg('score', '--model', model, ...short, '--json', ...more);
    expect(code).toBe(0);
    return JSON.parse(out);
  };
  const follows = await scores();
  expect(follows.options).toMatchObject({
    assignment: 'soft',
    assignmentTemperature: 2,
    centre: 0.25,
    groups: [16, 16],
    flip: true,
    refine: { dilations: [1, 2] },
  });
  const plain = await scores(
    '--assignment',
    'hard',
    '--groups',
    '16,8',
    '--prior',
    '0',
    '--refine',
    'none',
    '--scale',
    '5',
  );
  expect(plain.options).toMatchObject({ assignment: 'hard', refine: false, scale: 5 });
  expect(plain.fresh).not.toEqual(follows.fresh);
});

test('a file says what --refine pamr is to take, without asking for it', async () => {
  const model = at('pamr.safetensors');
  const exported = async (from: string, ...more: string[]) => {
    expect((await zeroseg('export', '--model', from, ...more, '--out', model)).code).toBe(0);
    const { refine, pamr } = modelInfo(readSafetensors(new Uint8Array(await readFile(model)), model), model).naming;
    return { refine, pamr };
  };
  const settings = { dilations: [2, 4] };
  expect(await exported('built-in', '--refine', 'none', '--pamr-dilations', '2,4')).toEqual({ pamr: settings });
  expect(await exported(model, '--short', '64')).toEqual({ pamr: settings });
  // What is not given stays as the file says, whether the file refines by itself or not.
  expect(await exported(model, '--refine', 'none', '--pamr-steps', '5')).toEqual({ pamr: { ...settings, steps: 5 } });
  expect(await exported(model, '--refine', 'none')).toEqual({ pamr: { ...settings, steps: 5 } });
  expect(await exported(model, '--refine', 'pamr')).toEqual({ refine: { ...settings, steps: 5 } });
  expect(await exported(model, '--refine', 'none')).toEqual({ pamr: { ...settings, steps: 5 } });
  expect(await exported('built-in', '--refine', 'none', '--pamr-dilations', '2,4')).toEqual({ pamr: settings });
  const refine = async (...more: string[]) => {
    const short = ['--scenes', '1', '--templates', 'identity', '--json'];
    const { code, out } = await zeroseg('score', '--model', model, ...short, ...more);
    expect(code).toBe(0);
    return JSON.parse(out).options.refine;
  };
  expect(await refine()).toBeUndefined();
  expect(await refine('--refine', 'pamr')).toEqual(settings);
  expect(await refine('--pamr-steps', '2')).toEqual({ ...settings, steps: 2 });
  expect(await exported(model, '--refine', 'pamr', '--pamr-steps', '1')).toEqual({
    refine: { ...settings, steps: 1 },
  });
  const { code, err } = await zeroseg('score', '--model', model, '--refine', 'none', '--pamr-steps', '2');
  expect([code, err]).toEqual([1, expect.stringContaining('--refine none and options of PAMR exclude each other')]);
});

test('cosines have no prior and no geometric mean, which the model’s file recommends for probabilities', async () => {
  const cosine = ['--scoring', 'cosine'];
  const segment = ['segment', photo, '--classes', 'cat,grass', '--templates', 'identity', '--out', at('cosines')];
  expect((await zeroseg(...segment, ...cosine)).code).toBe(0);
  const model = at('cosine.safetensors');
  expect((await zeroseg('export', '--model', 'built-in', ...cosine, '--out', model)).code).toBe(0);
  const { naming } = modelInfo(readSafetensors(new Uint8Array(await readFile(model)), model), model);
  expect([naming.assignment, naming.prior]).toEqual(['soft', undefined]);
  expect((await zeroseg(...segment, '--model', model)).code).toBe(0);
  for (const [words, message] of [
    [['--prior', '0.6', ...cosine], '--prior is for scores that are probabilities; leave it out with cosine scoring'],
    [
      ['--assignment', 'geometric', ...cosine],
      '--assignment geometric is for scores that are probabilities; leave it out with cosine scoring',
    ],
    [
      ['--assignment', 'hard', '--assignment-temperature', '2'],
      '--assignment-temperature is for --assignment soft or geometric',
    ],
  ] as const) {
    for (const command of [segment, ['export', '--model', 'built-in', '--out', at('no.safetensors')]]) {
      const { code, err } = await zeroseg(...command, ...words);
      expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    }
  }
});

test('zeroseg export does not round a model over itself, but changes what a half-precision one says', async () => {
  const f32 = at('f32.safetensors');
  const { tensors, metadata } = readSafetensors(new Uint8Array(await readFile(at('exported.safetensors'))), f32);
  const entries = [...tensors].map(
    ([name, one]) => [name, { dtype: 'F32', shape: one.shape, data: toFloat32(one) }] as const,
  );
  const before = writeSafetensors(entries, metadata);
  await writeFile(f32, before);
  const { code, err } = await zeroseg('export', '--model', f32, '--out', f32);
  expect([code, err]).toEqual([1, expect.stringContaining('is the model itself')]);
  expect(Buffer.compare(await readFile(f32), before)).toBe(0);
  const half = at('exported.safetensors');
  expect((await zeroseg('export', '--model', half, '--short', '64', '--out', half)).code).toBe(0);
  const namingOf = async (file: string) =>
    modelInfo(readSafetensors(new Uint8Array(await readFile(file)), file), file).naming;
  expect((await namingOf(half)).short).toBe(64);
  // What held says from then on what PAMR is to take for whoever asks for it.
  const { naming: _, ...others } = metadata;
  await writeFile(half, writeSafetensors(entries, { ...others, naming: '{"refine":{"steps":3}}' }));
  expect((await zeroseg('export', '--model', half, '--refine', 'none', '--out', at('plain.safetensors'))).code).toBe(0);
  expect(await namingOf(at('plain.safetensors'))).toEqual({ pamr: { steps: 3 } });
});

test('the page of an evaluation says what the model has not seen, and which classes it has no word for', async () => {
  await writeVoc(at('voc'), 1);
  const { code, err } = await zeroseg(
    ...['eval', '--data', 'voc', '--root', at('voc'), '--synonyms', 'bird|owl, cow|bull'],
    ...['--templates', 'identity', '--mode', 'whole', '--short', '32', '--save', at('evaluated')],
  );
  expect([code, err.split('\n').length]).toEqual([0, 3]);
  const page = await readFile(at('evaluated/evaluation.html'), 'utf8');
  expect(page.match(/(?<=<p class="note">).*(?=<)/g)).toMatchInlineSnapshot(`
    [
      "The CLIP built-in has seen drawings only, never a photo: what it names in photos is mostly wrong.",
      "The CLIP built-in does not know 10 of 20 classes, which it can only get wrong: &#34;bottle&#34;, &#34;cow&#34;, &#34;bull&#34; (did you mean ball?), &#34;table&#34;, &#34;horse&#34; (did you mean house?), &#34;motorbike&#34;, &#34;person&#34;, &#34;plant&#34; (did you mean plantain, plane or planks?), &#34;sheep&#34;, &#34;sofa&#34;, &#34;monitor&#34;.",
      "Left out, since the CLIP built-in does not know it: &#34;bird&#34; (its class goes by &#34;owl&#34;).",
    ]
  `);
});
