/** `docs/configuration.md`: every key of the model's configuration and of the settings of a training. */
import { trainCommand } from '../../cli/src/commands/train.ts';
import { printableTerminal } from '../../cli/src/shell/index.ts';
import type { Key } from '../../src/zeroseg/host/index.ts';
import { type ConfigGroup, configGroups } from '../../src/zeroseg/model/config-schema.ts';
import { presets, settingsSchema } from '../../src/zeroseg/training/index.ts';
import { cell } from './command-reference.ts';

const intro = `# Configuration

<!-- Made by \`npm run docs\` from src/zeroseg/model/config-schema.ts and src/zeroseg/training/settings.ts; do not edit. -->

What a training is described by: the keys of the model and of its losses, and the settings of the training. Three presets have all
of them: \`base\` is the paper's model and training, \`tiny\` is small enough for a processor, \`scenes\` is \`tiny\` with
[what small students need](beyond-the-paper.md). A preset, a file, and single keys are chosen like this, the later ones first:

\`\`\`sh
zeroseg train --cache cache/ --out runs/tiny --config tiny                                       # a preset
zeroseg train --cache cache/ --out runs/mine --config mine.json                                  # keys and settings, over base
zeroseg train --cache cache/ --out runs/more --config tiny --set mask_ratio=0.5 --set grids=1,2,3,4 # single ones
\`\`\`

\`\`\`json
{ "image": 64, "patch": 8, "dim": 96, "heads": 4, "seg_heads": 4, "mask_ratio": 0.4, "batch": 32, "epochs": 20 }
\`\`\`

A run's own \`config.json\` is such a file, too: \`--config runs/tiny/config.json\` trains the same again. \`clip_dim\` and \`grids\` are
those of the cache unless they are given. A key that does not exist, a value out of its range and sizes that do not divide are
errors before anything is computed. From a program the same is \`configSchema()\` and \`settingsSchema\` of \`@zeroseg/core/zeroseg\`. What the
formulas are: [zeroseg.md](zeroseg.md).
`;

const titles: Readonly<Record<ConfigGroup, string>> = {
  encoder: 'Encoder',
  decoder: 'Decoder',
  head: 'Segmentation head',
  assignment: 'Assignment to groups',
  losses: 'Losses',
  data: 'Views',
};

/** The whole page. */
export function configurationReference(): string {
  const groups = Object.entries(configGroups()).map(([group, keys]) => {
    const rows = Object.entries(keys).map(([name, key]) => row(name, key, (preset) => preset.config));
    return [`## ${titles[group as ConfigGroup]}`, table('', rows)].join('\n\n');
  });
  const flags = optionNames();
  const settings = Object.entries<Key>(settingsSchema).map(([name, key]) => {
    const option = flags.get(camelCase(name));
    const given = option === undefined ? `\`--set ${name}=…\`` : `\`${option}\``;
    return `${row(name, key, (preset) => preset.settings)} ${given} |`;
  });
  return `${[
    intro.trimEnd(),
    ...groups,
    '## Training',
    'Options of `zeroseg train` come before `--set`, and that before the preset.',
    table(' option |', settings),
  ].join('\n\n')}\n`;
}

type Preset = (typeof presets)[string];

function table(more: string, rows: readonly string[]): string {
  const names = ['base', 'tiny', 'scenes'];
  const head = `| key | ${names.map((name) => `\`${name}\``).join(' | ')} | must be | meaning |${more}`;
  return [head, head.replaceAll(/[^|]+/g, ' --- '), ...rows].join('\n');
}

function row(name: string, { kind, about }: Key, values: (preset: Preset) => object): string {
  const shown = (preset: string) => {
    const value = (values(presets[preset] as Preset) as Readonly<Record<string, unknown>>)[name];
    return typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');
  };
  const [base, ...others] = ['base', 'tiny', 'scenes'].map(shown);
  const cells = [base, ...others.map((value) => (value === base ? '' : value)), cell(kind.words), cell(about)];
  return `| \`${name}\` | ${cells.join(' | ')} |`.replaceAll(/ {2,}/g, ' ');
}

/** Options of `zeroseg train` by the name that they have in a program. */
function optionNames(): Map<string, string> {
  const terminal = printableTerminal({ out: () => undefined, note: () => undefined });
  return new Map(trainCommand({ terminal }).options.map((option) => [option.attributeName(), option.long as string]));
}

function camelCase(key: string): string {
  return key.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}
