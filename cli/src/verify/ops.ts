import { type Device, free, gradients, readAll, run, type Tensor, tensor, variable } from '@zeroseg/core';
import { centreRegion, ownValue, type Rgb, shortSideSize } from '@zeroseg/core/internal';
import { AdamW, type StoredTensor, sinCosPositions } from '@zeroseg/core/nn';
import { type Image, resizeImage, studentImage, toTensor } from '@zeroseg/core/zeroseg';
import { Fields } from './manifest.ts';
import { opTable } from './op-table.ts';
import { type Computed, FixtureError, type FixtureFile, hostValues, type Report } from './report.ts';

/** A case of an op's manifest: keys of tensors by role. */
interface Case {
  readonly op: string;
  readonly attrs: Fields;
  readonly inputs: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
  readonly cotangents: ReadonlyMap<string, string>;
  readonly gradients: ReadonlyMap<string, string>;
  readonly forward: number;
  readonly backward: number;
}

/** Runs every case of an op family: forward, and the gradients of what has a cotangent. */
export async function verifyOps(device: Device, manifest: Fields, file: FixtureFile, report: Report): Promise<void> {
  const cases = manifest.list('cases');
  if (cases.length === 0) throw new FixtureError('the manifest lists no cases');
  for (const [i, json] of cases.entries()) {
    const name = typeof (json as { name?: unknown })?.name === 'string' ? (json as { name: string }).name : `case ${i}`;
    const op = typeof (json as { op?: unknown })?.op === 'string' ? (json as { op: string }).op : 'unknown';
    // A case that cannot be run is one failed row; its tensors are not listed on top.
    for (const role of ['in', 'out', 'cot', 'grad']) {
      const keys = Object.values(((json as Record<string, unknown>)?.[role] ?? {}) as Record<string, unknown>);
      file.know(keys.filter((key) => typeof key === 'string'));
    }
    await report.part(op, name, () => verifyCase(device, parseCase(new Fields(json, `case '${name}'`), file), file));
  }
}

function parseCase(fields: Fields, file: FixtureFile): Case {
  fields.text('name');
  fields.raw('note');
  const op = fields.text('op');
  const tolerance = fields.object('tol');
  const keys = (role: string) => {
    const found = new Map<string, string>();
    if (fields.has(role)) {
      const object = fields.object(role);
      for (const name of object.keys()) found.set(name, object.text(name));
    } else fields.raw(role);
    return found;
  };
  const parsed: Case = {
    op,
    attrs: fields.has('attrs') ? fields.object('attrs') : new Fields({}, fields.where),
    inputs: keys('in'),
    outputs: keys('out'),
    cotangents: keys('cot'),
    gradients: keys('grad'),
    forward: tolerance.number('fwd'),
    backward: tolerance.has('bwd') ? tolerance.number('bwd') : tolerance.number('fwd'),
  };
  tolerance.complainAboutUnused();
  if (parsed.outputs.size === 0) throw new FixtureError(`${fields.where} lists no outputs`);
  if (parsed.gradients.size > 0 && parsed.cotangents.size === 0) {
    throw new FixtureError(`${fields.where} has gradients without a cotangent`);
  }
  if (fields.has('shapes')) {
    const shapes = fields.object('shapes');
    for (const key of shapes.keys()) {
      const [role, name] = [key.slice(0, key.indexOf('.')), key.slice(key.indexOf('.') + 1)];
      const stored = (role === 'in' ? parsed.inputs : parsed.outputs).get(name);
      if (stored === undefined) throw new FixtureError(`${fields.where}: 'shapes' names ${key}, which is no tensor`);
      file.get(stored, shapes.numbers(key));
    }
  }
  fields.complainAboutUnused();
  return parsed;
}

type OnHost = (one: Case, stored: (role: string) => StoredTensor, device: Device) => Outputs | Promise<Outputs>;
type Outputs = Readonly<Record<string, Computed>>;

async function verifyCase(device: Device, one: Case, file: FixtureFile): Promise<void> {
  const used = new Set<string>();
  const stored = (role: string) => {
    const key = one.inputs.get(role);
    if (key === undefined) throw new FixtureError(`the op needs the input '${role}'`);
    used.add(role);
    return file.get(key);
  };
  const onHost = hostOps.get(one.op);
  if (onHost) {
    const outputs = await onHost(one, stored, device);
    complain(one, used);
    for (const [name, key] of one.outputs) {
      const got = ownValue(outputs, name);
      if (!got) throw new FixtureError(`the op has no output '${name}'; it has ${Object.keys(outputs).join(', ')}`);
      file.check(one.op, key, got, one.forward);
    }
    return;
  }

  const forward = opTable.get(one.op);
  if (!forward) throw new FixtureError(`the op '${one.op}' is not known`);
  const inputs = new Map<string, Tensor>();
  const input = (role: string) => {
    const found = inputs.get(role) ?? upload(device, stored(role));
    inputs.set(role, found);
    return found;
  };
  const outputs = forward({ get: input, has: (role) => one.inputs.has(role) }, one.attrs);
  complain(one, used);

  const wanted: { key: string; tensor: Tensor; tolerance: number }[] = [];
  const output = (name: string) => {
    const found = ownValue(outputs, name);
    if (!found) throw new FixtureError(`the op has no output '${name}'; it has ${Object.keys(outputs).join(', ')}`);
    return found;
  };
  for (const [name, key] of one.outputs) wanted.push({ key, tensor: output(name), tolerance: one.forward });
  if (one.cotangents.size > 0) {
    const results = [...one.cotangents.keys()].map(output);
    const seeds = [...one.cotangents.values()].map((key, i) => upload(device, file.get(key, results[i]?.shape)));
    const of = [...one.gradients.keys()].map(input);
    const found = gradients(results, of, seeds);
    [...one.gradients.values()].forEach((key, i) => {
      wanted.push({ key, tensor: found[i] as Tensor, tolerance: one.backward });
    });
  }
  const values = await readAll(wanted.map((entry) => entry.tensor));
  wanted.forEach(({ key, tensor: { shape }, tolerance }, i) => {
    file.check(one.op, key, { shape, data: values[i] as Float32Array }, tolerance);
  });
}

function complain(one: Case, used: ReadonlySet<string>): void {
  one.attrs.complainAboutUnused();
  const ignored = [...one.inputs.keys()].filter((role) => !used.has(role));
  if (ignored.length > 0) throw new FixtureError(`the op '${one.op}' has no input '${ignored.join("', '")}'`);
}

function upload(device: Device, stored: StoredTensor): Tensor {
  return tensor(device, hostValues(stored).data, stored.shape);
}

/** What the library computes on the host, and the optimizer, which is no op but a sequence of updates. */
const hostOps: ReadonlyMap<string, OnHost> = new Map<string, OnHost>([
  [
    'sincos_2d',
    ({ attrs }) => {
      const [dim, rows, cols, cls] = [attrs.whole('dim'), attrs.whole('rows'), attrs.whole('cols'), attrs.flag('cls')];
      return { y: { shape: [rows * cols + (cls ? 1 : 0), dim], data: sinCosPositions(dim, rows, cols, cls) } };
    },
  ],
  [
    'pillow_resize',
    ({ attrs }, stored) => {
      const photo = image(stored('x'));
      const [width, height] = [attrs.whole('width'), attrs.whole('height')];
      const resized = resizeImage(photo, width, height, attrs.choice('mode', ['bicubic', 'bilinear']));
      return { y: { shape: [height, width, 3], data: resized.data } };
    },
  ],
  [
    'preprocess',
    ({ attrs }, stored) => {
      const photo = image(stored('x'));
      const size = attrs.whole('size');
      const [width, height] = shortSideSize(photo.width, photo.height, size);
      const { x, y } = centreRegion(width, height, size, size);
      for (const [name, ours] of Object.entries({ resized: [height, width], crop: [y, x] })) {
        const theirs = attrs.has(name) ? attrs.numbers(name) : ours;
        if (theirs.join() !== ours.join()) throw new FixtureError(`'${name}' is [${theirs}]; expected [${ours}]`);
      }
      const pixels = toTensor(studentImage(photo, size), colour(attrs, 'mean'), colour(attrs, 'std'));
      return { y: { shape: [3, size, size], data: pixels } };
    },
  ],
  ['adamw', adamwSteps],
]);

function image(stored: StoredTensor): Image {
  const [height = 0, width = 0, channels] = stored.shape;
  if (stored.dtype !== 'U8' || channels !== 3) throw new FixtureError("'x' must be an image: U8 [H, W, 3]");
  return { width, height, data: stored.bytes };
}

function colour(attrs: Fields, name: string): Rgb {
  const [red = 0, green = 0, blue = 0, ...more] = attrs.numbers(name);
  if (more.length > 0) throw new FixtureError(`'${name}' must be three numbers`);
  return [red, green, blue];
}

/** Steps of the optimizer; the first axis of gradients and outputs is the step. */
async function adamwSteps({ attrs }: Case, stored: (role: string) => StoredTensor, device: Device): Promise<Outputs> {
  const [start, given] = [stored('param'), stored('grads')];
  const [steps = 0, ...shape] = given.shape;
  if (attrs.whole('steps') !== steps)
    throw new FixtureError(`'steps' is ${attrs.whole('steps')}; there are ${steps} gradients`);
  if (shape.join() !== start.shape.join()) throw new FixtureError("'grads' must be steps of the shape of 'param'");
  const param = variable(device, shape, hostValues(start).data);
  const optimizer = new AdamW(device, [['param', param]], {
    beta1: attrs.number('beta1'),
    beta2: attrs.number('beta2'),
    eps: attrs.number('eps'),
    weightDecay: attrs.number('weightDecay'),
    decays: () => true,
  });
  const lr = attrs.number('lr');
  const gradient = hostValues(given).data;
  const state = optimizer.state();
  const [m, v] = [state.get('m.param') as Tensor, state.get('v.param') as Tensor];
  const collected: number[][] = [[], [], []];
  try {
    for (let i = 0; i < steps; i++) {
      const part = tensor(device, gradient.slice(i * param.size, (i + 1) * param.size), shape);
      const hyper = tensor(device, optimizer.hyperparameters(i + 1, lr));
      await run(device, () => {
        optimizer.update([part], hyper);
        return undefined;
      });
      const values = await readAll([param, m, v]);
      collected.forEach((list, n) => {
        list.push(...(values[n] as Float32Array));
      });
    }
  } finally {
    optimizer.dispose();
    free(param);
  }
  const [params, ms, vs] = collected.map((data): Computed => ({ shape: given.shape, data }));
  return { params: params as Computed, m: ms as Computed, v: vs as Computed };
}
