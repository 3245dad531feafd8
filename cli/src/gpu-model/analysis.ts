import { bytesOf, type FunctionDeclaration, type Module, Names, WgslError } from '../wgsl/index.ts';
import type { Call, Length, Point, Site, Stretch } from './sites.ts';
import { Walk } from './walk.ts';

/** What can be said of a kernel from its source. */
export interface Analysis {
  readonly module: Module;
  readonly names: Names;
  readonly entry: FunctionDeclaration;
  readonly workgroupSize: readonly [number, number, number];
  readonly sites: readonly Site[];
  readonly blocks: readonly Stretch[];
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Private arrays with places that are known only when it runs, and their bytes. */
  readonly scratch: ReadonlyMap<string, number>;
  /** Variables that the kernel points to. */
  readonly pointedTo: ReadonlySet<string>;
  readonly points: readonly Point[];
  readonly calls: readonly Call[];
  readonly lengths: readonly Length[];
  /** An estimate: see {@link Registers}. */
  readonly registers: number;
}

/**
 * Reads a WGSL module: where it touches memory, and what it computes between. `overrides`: the constants of its pipeline.
 *
 * @throws WgslError for what is not WGSL, and for a parameter that points now to one variable of storage or workgroup memory, now to another.
 */
export function analyse(source: string, module: Module, overrides: Readonly<Record<string, number>>): Analysis {
  const names = new Names(module, overrides);
  const entry = module.functions.find(({ attributes }) => attributes.some(({ name }) => name === 'compute'));
  if (!entry) throw new WgslError('WGSL: there is no @compute function');
  const walk = new Walk(source, names);
  walk.function(entry);
  const size = entry.attributes.find(({ name }) => name === 'workgroup_size')?.args ?? [];
  const [x = 1, y = 1, z = 1] = size.map((one) => names.valueOf(one) ?? 1);
  const shared = module.variables.filter(({ space }) => space === 'workgroup');
  const workgroupBytes = shared.reduce((sum, { type }) => sum + (type ? bytesOf(names.typeNamed(type)) : 0), 0);
  const { sites, blocks, scratch, registers, pointedTo, points, calls, lengths } = walk;
  return {
    ...{ module, names, entry, workgroupSize: [x, y, z], sites, blocks, workgroupBytes, scratch },
    ...{ pointedTo, points, calls, lengths },
    registers: registers.most(entry.name),
  };
}
