import { basename, dirname } from 'node:path';
import { detectClipNames, numbered, shortTeacher, size } from '@zeroseg/core/internal';
import { CheckpointError } from '@zeroseg/core/nn';
import {
  type ClipSource,
  findVit,
  isGroupVit,
  isSegClip,
  isSiglip,
  modelInfo,
  segClipConfig,
} from '@zeroseg/core/zeroseg';
import { hashFiles } from '../files/index.ts';
import { averageWords, commandText, countOf, shellWord } from '../shell/index.ts';
import { builtIn, openClip, openWeights } from '../weights/index.ts';
import type { Fact, Info } from './fact.ts';

type Weights = Awaited<ReturnType<typeof openWeights>>;

/** A file of weights: what its metadata and the names of its tensors say. `label` is what commands are to call it. */
export async function weightsInfo(place: string, label: string = place): Promise<Info> {
  const weights = await openWeights(place);
  const { metadata } = weights;
  if (metadata['format'] === 'zeroseg-model-1') return modelFacts(place, label, weights);
  if (metadata['format'] === 'zeroseg-optimizer-1') return optimizerFacts(place, weights);
  if (isGroupVit(weights.tensors)) return groupVitFacts(place, weights);
  if (isSegClip(weights.tensors)) return segClipFacts(place, weights);
  if (isSiglip(weights.tensors)) return siglipFacts(place, weights);
  if (isClip(weights, place)) return clipInfo(place, label);
  return otherFacts(place, weights);
}

async function modelFacts(place: string, label: string, weights: Weights): Promise<Info> {
  const { config, step, teacher, naming, ema } = modelInfo(weights, place);
  const { image, patch, dim, depth, output_groups, clip_dim } = config;
  const clip = label === builtIn ? builtIn : 'CLIP';
  return {
    kind: 'model',
    place: label,
    facts: {
      'trained for': `${step} steps`,
      ...(ema > 0 && { weights: averageWords(ema) }),
      teacher: shortTeacher(teacher) || 'not said',
      image: `${image} × ${image} pixels, patches of ${patch}`,
      encoder: `${depth} blocks of width ${dim}`,
      segments: output_groups.at(-1) as number,
      features: `${clip_dim} channels`,
      naming: naming as { [key: string]: Fact },
      ...(await tensorFacts(weights)),
      configuration: config as unknown as { [key: string]: Fact },
    },
    uses: [
      {
        for: 'segmenting photos by words',
        command: commandText('segment photo.jpg', { model: label, clip, classes: 'cat, grass' }),
      },
      { for: 'its score on scenes', command: commandText('score', { model: label, clip }) },
      ...([...weights.tensors.values()].every(({ dtype }) => dtype === 'F16')
        ? []
        : [
            {
              for: 'a file of half the size',
              command: commandText('export', { model: label, out: 'small.safetensors' }),
            },
          ]),
      // As initial weights, `built-in` is the CLIP.
      ...(label === builtIn
        ? []
        : [
            {
              for: 'weights to begin training with',
              command: commandText('train', { cache: 'out/cache', out: 'out/run', init: label }),
            },
          ]),
    ],
  };
}

async function optimizerFacts(place: string, weights: Weights): Promise<Info> {
  const { step, teacher, loss_scale } = weights.metadata;
  const run = dirname(dirname(dirname(place)));
  return {
    kind: 'optimizer state',
    place,
    facts: {
      'after step': Number(step),
      teacher: shortTeacher(teacher ?? '') || 'not said',
      'loss scale': loss_scale ?? 'not said',
      ...(await tensorFacts(weights)),
    },
    uses: [{ for: 'going on with the run', command: commandText('train', { out: run, resume: true }) }],
  };
}

async function groupVitFacts(place: string, weights: Weights): Promise<Info> {
  return {
    kind: 'GroupViT',
    place,
    facts: await tensorFacts(weights),
    uses: [
      {
        for: 'segmenting photos by words',
        command: commandText('segment photo.jpg', { model: dirname(place), classes: 'cat, grass' }),
      },
    ],
  };
}

async function segClipFacts(place: string, weights: Weights): Promise<Info> {
  const { width, patch, grid, groups, first, second, dim } = segClipConfig(weights.tensors, place);
  const hasText = weights.tensors.has('clip.token_embedding.weight');
  return {
    kind: 'SegCLIP',
    place,
    facts: {
      image: `${grid * patch} × ${grid * patch} pixels, patches of ${patch}`,
      'image tower': `${first} + ${second} blocks of width ${width}`,
      segments: groups,
      features: `${dim} channels`,
      'text tower': hasText,
      ...(await tensorFacts(weights)),
    },
    uses: hasText
      ? [
          {
            for: 'segmenting photos by words',
            command: commandText('segment photo.jpg', { model: `segclip:${place}`, classes: 'cat, grass' }),
          },
        ]
      : [],
  };
}

/** A CLIP: a folder, a file, or the built-in one. */
export async function clipInfo(place: string, label: string = place): Promise<Info> {
  const clip = await openClip(place);
  const { vision, text, projection } = clip.config;
  return {
    kind: 'CLIP',
    place: label,
    facts: {
      name: clip.name,
      image: `${vision.image} × ${vision.image} pixels, patches of ${vision.patch}`,
      'image tower': `${vision.layers} blocks of width ${vision.width}, ${vision.heads} heads`,
      'text tower': `${text.layers} blocks of width ${text.width}, ${text.vocab} tokens, ${text.context} a text`,
      features: `${projection} channels`,
      sha256: await clip.weightsHash(),
      vocabulary: vocabularyFacts(clip),
    },
    uses: [
      {
        for: 'the features that a model learns from',
        command: commandText('cache photos', { clip: label, out: 'out/cache' }),
      },
      {
        for: 'the words of a model that learnt from it',
        command: commandText('segment photo.jpg', { model: 'out/run', clip: label, classes: 'cat, grass' }),
      },
      { for: 'the list of its words', command: commandText('words', { clip: label }) },
    ],
  };
}

function vocabularyFacts({ words }: ClipSource): Fact {
  if (!words) return 'any word may be asked for';
  return {
    words: countOf(words),
    objects: Object.keys(words.objects),
    grounds: Object.keys(words.grounds),
    adjectives: words.adjectives,
    'has seen': `${words.seen} only`,
  };
}

async function siglipFacts(place: string, weights: Weights): Promise<Info> {
  const { tensors } = weights;
  const hasImages = tensors.has('vision_model.head.probe');
  return {
    kind: 'SigLIP',
    place,
    facts: {
      'image tower': hasImages,
      'text tower': tensors.has('text_model.head.weight'),
      lacks: 'a tokenizer that is read here (SentencePiece): its texts are token ids',
      ...(await tensorFacts(weights)),
    },
    uses: hasImages
      ? [
          {
            for: 'the features that a model learns from',
            command: commandText('cache photos', { clip: place, out: 'out/cache' }),
          },
        ]
      : [],
  };
}

async function otherFacts(place: string, weights: Weights): Promise<Info> {
  const { tensors, metadata, part } = weights;
  const names = [...tensors.keys()];
  const rest = {
    ...(await tensorFacts(weights)),
    'first tensors': names.slice(0, 3),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
  const converted = {
    for: 'one safetensors file of it',
    command: commandText(`convert ${shellWord(place)}`, { out: 'weights.safetensors' }),
  };
  const vit = vitOf(weights, place);
  if (typeof vit === 'string' || !vit?.weights.has('blocks.0.norm1.weight')) {
    if (typeof vit === 'string') Object.assign(rest, { 'no encoder for training': vit });
    const kind = `${place.endsWith('.safetensors') ? 'safetensors' : 'PyTorch'} file of another program`;
    return { kind, place, facts: rest, uses: place.endsWith('.safetensors') ? [] : [converted] };
  }
  const [width = 0, , patch = 0] = vit.weights.get('patch_embed.proj.weight')?.tensors[0]?.shape ?? [];
  const needed = ['cls_token', 'pos_embed', 'norm.weight', 'norm.bias'];
  return {
    kind: 'weights of a vision transformer',
    place,
    facts: {
      'made by': vit.kind,
      encoder: `${numbered(vit.weights, 'blocks.')} blocks of width ${width}, patches of ${patch}`,
      'names begin with': vit.prefix || 'nothing',
      ...(part ? { 'under the key': part } : {}),
      lacks: needed.filter((name) => !vit.weights.has(name)),
      'not of the encoder': vit.ignored.length,
      ...rest,
    },
    uses: [
      {
        for: 'weights to begin training with',
        command: commandText('train', { cache: 'out/cache', out: 'out/run', init: place }),
      },
      ...(place.endsWith('.safetensors') ? [] : [converted]),
    ],
  };
}

/** The vision transformer of a file, or why it is none that is computed here. */
function vitOf({ tensors }: Weights, place: string): ReturnType<typeof findVit> | string {
  try {
    return findVit(tensors, basename(place));
  } catch (error) {
    if (error instanceof CheckpointError) return error.message;
    throw error;
  }
}

async function tensorFacts({ files, tensors }: Weights): Promise<Record<string, Fact>> {
  const all = [...tensors.values()];
  return {
    tensors: all.length,
    parameters: all.reduce((sum, { shape }) => sum + size(shape), 0),
    'number formats': [...new Set(all.map(({ dtype }) => dtype))],
    sha256: await hashFiles(files),
  };
}

function isClip({ tensors }: Weights, place: string): boolean {
  try {
    detectClipNames(tensors, basename(place));
    return true;
  } catch (error) {
    if (error instanceof CheckpointError) return false;
    throw error;
  }
}
