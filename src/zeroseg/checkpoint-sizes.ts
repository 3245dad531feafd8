/** Sizes that are told by a checkpoint's tensors and by the JSON beside it, checked before anything is made of them. */
import { shownValue } from '../gpu/json.ts';
import { CheckpointError } from '../nn/safetensors.ts';

/** Beyond what any published tower has; a hole in a file must not become a loop over billions. */
const limits: Readonly<Record<string, number>> = {
  width: 65_536,
  heads: 4096,
  layers: 1024,
  depths: 1024,
  patch: 4096,
  image: 16_384,
  vocab: 2 ** 24,
  context: 2 ** 20,
  group_tokens: 65_536,
  output_groups: 65_536,
  projection: 65_536,
  projection_hidden: 2 ** 20,
};

/** How many numbers follow a prefix in the names, from 0 without a gap: `prefix0.…`, `prefix1.…`. */
export function numbered(stored: ReadonlyMap<string, unknown>, prefix: string): number {
  const found = new Set<number>();
  for (const name of stored.keys()) {
    if (!name.startsWith(prefix)) continue;
    const digits = /^(?:0|[1-9]\d{0,8})(?=\.)/.exec(name.slice(prefix.length, prefix.length + 12));
    if (digits) found.add(Number(digits[0]));
  }
  let count = 0;
  while (found.has(count)) count++;
  return count;
}

/** The JSON beside a checkpoint, as far as it is read: what is there is of the right kind. */
export function checkGiven(config: unknown, file: string): object | undefined {
  const isTable = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (config === undefined || config === null) return undefined;
  const fail = (name: string, rule: string, value: unknown): never => {
    throw new CheckpointError(file, `its configuration: '${name}' must be ${rule}; got ${shownValue(value)}`);
  };
  if (!isTable(config)) {
    throw new CheckpointError(file, `its configuration must be an object; got ${shownValue(config)}`);
  }
  const check = (table: Record<string, unknown>): void => {
    for (const [name, value] of Object.entries(table)) {
      if (value === undefined || value === null) continue;
      if (/^(?:vision|text)(?:_config)?$/.test(name) && !isTable(value)) fail(name, 'an object', value);
      const isEps = name === 'layer_norm_eps' || name === 'batch_norm_eps';
      if (isEps && !(typeof value === 'number' && value > 0 && value <= 1))
        fail(name, 'a number above 0, up to 1', value);
      const isHeads = name === 'heads' || name === 'num_attention_heads';
      if (isHeads && !(Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 4096)) {
        fail(name, 'a whole number from 1 to 4096', value);
      }
      if ((name === 'hidden_act' || name === 'activation') && typeof value !== 'string') fail(name, 'a name', value);
    }
  };
  check(config);
  for (const tower of ['vision', 'text', 'vision_config', 'text_config']) {
    const table = Object.hasOwn(config, tower) ? config[tower] : undefined;
    if (isTable(table)) check(table);
  }
  return config;
}

/** @throws CheckpointError that names a size which no tower can have. */
export function checkTowers(sizes: object, file: string, where = ''): void {
  for (const [name, value] of Object.entries(sizes)) {
    const place = `${where}${name}`;
    const most = Object.hasOwn(limits, name) ? (limits[name] as number) : undefined;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (most === undefined) continue;
      if (!Number.isInteger(one) || one < 0 || one > most) {
        throw new CheckpointError(
          file,
          `its tensors make ${place} ${shownValue(one)}; it must be a whole number from 0 to ${most}: the file is damaged, or no checkpoint of this kind`,
        );
      }
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) checkTowers(value, file, `${place}.`);
  }
}
