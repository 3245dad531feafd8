import type { FunctionDeclaration, Span } from '../wgsl/index.ts';
import type { Analysis } from './analysis.ts';
import type { Call, Point, Site } from './sites.ts';

/** A kernel that writes down what it does: into `gmLog`, a stretch for each invocation. */
export interface Instrumented {
  readonly source: string;
  readonly blocks: number;
  /** Words of an entry: which site it is, its place, and in {@link TraceKind} `paths` the path. */
  readonly entryWords: 2 | 3;
  /** Storage variables whose values nobody reads, and which are private now. */
  readonly dropped: ReadonlySet<string>;
}

/**
 * A path is a number for the calls and the turns of all loops around: lanes of a warp on the same path run together. `accesses`: a note of
 * each access, and sums of the paths on which each block ran. `paths`: with its path, and a note of each run of a block too.
 */
export type TraceKind = 'accesses' | 'paths';

/** Words before the first note of an invocation: how many notes there are, and of each block how often it ran, and the sum of its paths. */
export const headWords = (blocks: number): number => 1 + 2 * blocks;

/** Workgroups that one dispatch of an instrumented kernel may run. */
export const MOST_GROUPS = 64;

/**
 * Rewrites a kernel: every index of a storage or workgroup variable goes through a function that notes it, every block notes that
 * it runs, and workgroups have the places that `gmRun` gives them instead of their own, so that a few stand for a large grid.
 * `written`: storage variables that are only written; they need no memory. `bytesOf`: of what is bound to a variable.
 */
export function instrument(
  source: string,
  analysis: Analysis,
  written: ReadonlySet<string>,
  bytesOf: (variable: string) => number,
  kind: TraceKind = 'accesses',
): Instrumented {
  const { entry, blocks, sites, points, pointedTo, calls, lengths, module, names } = analysis;
  const dropped = new Set<string>();
  const entryWords = kind === 'paths' ? 3 : 2;
  const edits = new Edits();
  for (const { name, space, type, start, end } of module.variables) {
    const [element] = type?.name === 'array' ? type.args : [];
    if (element && written.has(name) && !pointedTo.has(name)) {
      dropped.add(name);
      edits.replace(start, end, `var<private> ${name}: array<${source.slice(element.start, element.end)}, 1>;`);
    } else if (space === 'workgroup' && type && names.typeNamed(type).kind !== 'array') {
      edits.wrap(type.start, 'array<', type.end, ', 1>');
    }
  }
  const { parameters, before } = entryOf(source, analysis, entryWords);
  edits.replace(entry.parametersStart, entry.parametersEnd, parameters);
  edits.insert(entry.body.start + 1, `\n${before}\n`);
  for (const [i, { at, loop, choice }] of blocks.entries()) {
    if (choice) {
      edits.wrap(choice.start, `(gmStep(${i}u) && (`, choice.end, '))');
      continue;
    }
    if (loop) {
      edits.insert(loop.start, `let gmAround${i} = gmPath; var gmTurn${i} = 0u; `);
      edits.insert(at, ` gmTurn${i}++; gmPath = gmInside(gmAround${i}, gmTurn${i}); `);
      edits.insert(loop.end, ` gmPath = gmAround${i};`);
    }
    edits.insert(at, ` gmTick(${i}u); `);
  }
  for (const { id, indices, single, through } of sites) {
    for (const [i, { at }] of indices.entries()) edits.wrap(at.start, `gmSite${id}_${i}(u32(`, at.end, '))');
    if (single !== undefined) edits.append(single, indices.length > 0 ? '[0]' : `[gmSite${id}_0(0u)]`);
    if (through?.op) edits.replace(through.start, through.end, ` ${through.op} gmSite${id}_0(1)`);
    else if (through) edits.wrap(through.start, `gmSite${id}_0(`, through.end, ')');
  }
  for (const { id, indices, single } of points) {
    for (const [i, { at }] of indices.entries()) edits.wrap(at.start, `gmPoint${id}_${i}(u32(`, at.end, '))');
    if (single !== undefined) edits.append(single, '[0]');
  }
  for (const [i, { callee }] of calls.entries()) edits.replace(callee.start, callee.end, `gmCall${i}`);
  for (const { start, end, variable, stride } of lengths) {
    edits.replace(start, end, `gmLength(${Math.floor(bytesOf(variable) / stride)}u)`);
  }
  const functions = [
    ...sites.map((site) => functionsOf(site, dropped)),
    ...points.map(pointFunctions),
    ...calls.map((call, i) => callFunction(source, analysis, call, i)),
  ].join('\n');
  return {
    source: `${edits.apply(source)}\n${tracing(blocks.length, sites.length, kind)}\n${functions}`,
    ...{ blocks: blocks.length, entryWords, dropped },
  };
}

/** The entry point's parameters, and what its body begins with. */
function entryOf(
  source: string,
  { entry, workgroupSize, names, blocks }: Analysis,
  entryWords: number,
): { parameters: string; before: string } {
  const [x, y, z] = workgroupSize;
  const group = 'gmGroup.x + gmRun.size.x * (gmGroup.y + gmRun.size.y * gmGroup.z)';
  const place = `gmGroup * vec3u(${x}u, ${y}u, ${z}u) + gmLocal`;
  const own: Readonly<Record<string, string>> = {
    local_invocation_id: 'gmLocal',
    local_invocation_index: 'gmLane',
    workgroup_id: 'gmGroup',
    num_workgroups: 'gmRun.size.xyz',
    workgroup_index: group,
    global_invocation_id: place,
    global_invocation_index: `gmLinear(${place}, gmRun.size.xy * vec2u(${x}u, ${y}u))`,
  };
  const others: string[] = [];
  const declared: string[] = [];
  for (const { name, type, attributes, start, end } of entry.parameters) {
    const struct = names.typeNamed(type);
    if (struct.kind === 'struct') {
      const members = struct.members.map(({ name: member, builtin = '' }) => {
        if (own[builtin]) return `${name}.${member} = ${own[builtin]};`;
        others.push(`@builtin(${builtin}) gm_${member}: u32`);
        return `${name}.${member} = gm_${member};`;
      });
      declared.push(`var ${name}: ${type.name};`, ...members);
      continue;
    }
    const [builtin] = attributes.find((one) => one.name === 'builtin')?.args ?? [];
    const value = builtin?.kind === 'name' ? own[builtin.name] : undefined;
    if (value) declared.push(`let ${name} = ${value};`);
    else others.push(source.slice(start, end));
  }
  return {
    parameters: [
      '@builtin(workgroup_id) gmWorkgroup: vec3u',
      '@builtin(local_invocation_id) gmLocal: vec3u',
      '@builtin(local_invocation_index) gmLane: u32',
      ...others,
    ].join(', '),
    before: `let gmGroup = gmRun.groups[gmWorkgroup.x].xyz;
gmBase = (gmWorkgroup.x * ${x * y * z}u + gmLane) * (${headWords(blocks.length) + entryWords}u + ${entryWords}u * gmRun.size.w);
${declared.join('\n')}`,
  };
}

const tracing = (blocks: number, sites: number, kind: TraceKind) => `
struct GmRun { size: vec4u, groups: array<vec4u, ${MOST_GROUPS}> }
@group(1) @binding(0) var<storage, read_write> gmLog: array<u32>;
@group(1) @binding(1) var<uniform> gmRun: GmRun;
var<private> gmBase: u32;
var<private> gmNext: u32;
var<private> gmPath: u32;
fn gmLinear(at: vec3u, size: vec2u) -> u32 { return at.x + size.x * (at.y + size.y * at.z); }
fn gmLength(elements: u32) -> u32 { return elements; }
fn gmInside(path: u32, turn: u32) -> u32 { return (path ^ (path >> 15u) ^ turn) * 0x9e3779b1u + 1u; }
fn gmTick(block: u32) {
  gmLog[gmBase + 2u * block + 1u] += 1u;
  gmLog[gmBase + 2u * block + 2u] += gmPath ^ (gmPath >> 16u);
${kind === 'paths' ? `  gmAt(${sites}u + block, 0u);` : ''}
}
fn gmAt(site: u32, units: u32) {
  // What there is no room for goes to the last place, which nobody reads: without a branch compilers are done sooner.
  let at = gmBase + ${headWords(blocks)}u + ${kind === 'paths' ? 3 : 2}u * min(gmNext, gmRun.size.w);
  gmLog[at] = site + 1u;
  gmLog[at + 1u] = units;
${kind === 'paths' ? '  gmLog[at + 2u] = gmPath;' : ''}
  gmNext++;
  gmLog[gmBase] = gmNext;
}
fn gmStep(block: u32) -> bool {
  gmTick(block);
  return true;
}`;

/** What the indices of a site go through, or its value. The last one knows all of them. */
function functionsOf({ id, variable, indices, unit, point, through }: Site, dropped: ReadonlySet<string>): string {
  const before = point === undefined ? '0u' : `gmPlace${point} / ${unit}u`;
  if (through) {
    const { type } = through;
    return `fn gmSite${id}_0(value: ${type}) -> ${type} { gmAt(${id}u, ${before}); return value; }`;
  }
  const all = indices.length === 0 ? [{ units: 0 }] : indices;
  const functions = all.map(({ units }, i) => {
    const sum = `${i === 0 ? before : `gmPart${id}`} + i * ${units}u`;
    const note = i === all.length - 1 ? `gmAt(${id}u, ${sum});` : `gmPart${id} = ${sum};`;
    return `fn gmSite${id}_${i}(i: u32) -> u32 { ${note} return ${i === 0 && dropped.has(variable) ? '0u' : 'i'}; }`;
  });
  return [...(all.length > 1 ? [`var<private> gmPart${id}: u32;`] : []), ...functions].join('\n');
}

/** What the indices of a pointer go through. */
function pointFunctions({ id, indices, before }: Point): string {
  const functions = indices.map(({ bytes }, i) => {
    const sum = i > 0 ? `gmPlace${id}` : before === undefined ? '0u' : `gmPlace${before}`;
    return `fn gmPoint${id}_${i}(i: u32) -> u32 { gmPlace${id} = ${sum} + i * ${bytes}u; return i; }`;
  });
  return [`var<private> gmPlace${id}: u32;`, ...functions].join('\n');
}

/** A call has a path of its own, and afterwards the path is as before, however the function is left. */
function callFunction(source: string, { module }: Analysis, { name, places }: Call, i: number): string {
  const { parameters, returns } = module.functions.find((one) => one.name === name) as FunctionDeclaration;
  const text = ({ start, end }: Span) => source.slice(start, end);
  const taken = parameters.map(({ type }, at) => `gm${at}: ${text(type)}`).join(', ');
  const given = parameters.map((_, at) => `gm${at}`).join(', ');
  const points = places.map(({ point, from, offset }) => {
    return `gmPlace${point} = ${from === undefined ? '' : `gmPlace${from} + `}${offset}u; `;
  });
  const called = `${returns ? 'let gmMade = ' : ''}${name}(${given});`;
  return `fn gmCall${i}(${taken})${returns ? ` -> ${text(returns)}` : ''} {
  let gmCaller = gmPath; gmPath = gmInside(gmCaller, ${2 ** 31 + i}u); ${points.join('')}
  ${called} gmPath = gmCaller;${returns ? ' return gmMade;' : ''}
}`;
}

/** Changes of a text, each by its place in the text as it was. */
class Edits {
  readonly #edits: { start: number; end: number; text: string; rank: number }[] = [];

  replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text, rank: this.#edits.length });
  }

  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  /** Directly behind what ends there, inside of whatever is wrapped around it. */
  append(at: number, text: string): void {
    this.#edits.push({ start: at, end: at, text, rank: Number.NEGATIVE_INFINITY });
  }

  /** Around what is there; what is wrapped first is outside. */
  wrap(start: number, before: string, end: number, after: string): void {
    const depth = this.#edits.length;
    this.#edits.push({ start, end: start, text: before, rank: depth });
    this.#edits.push({ start: end, end, text: after, rank: -depth });
  }

  apply(text: string): string {
    const ordered = this.#edits.toSorted((a, b) => a.start - b.start || a.rank - b.rank);
    let at = 0;
    let made = '';
    for (const edit of ordered) {
      made += text.slice(at, edit.start) + edit.text;
      at = edit.end;
    }
    return made + text.slice(at);
  }
}
