import { type Parameter, WgslError } from '../wgsl/index.ts';
import type { Analysis } from './analysis.ts';
import type { Site } from './sites.ts';

/** A kernel that writes down what it does: into `gmLog`, a stretch for each invocation. */
export interface Instrumented {
  readonly source: string;
  /** Words of an invocation's stretch before its accesses: how often it came through each block. */
  readonly blocks: number;
  /** Storage variables whose values nobody reads, and which are private now. */
  readonly dropped: ReadonlySet<string>;
}

/** Workgroups that one dispatch of an instrumented kernel may run. */
export const MOST_GROUPS = 64;

/**
 * Rewrites a kernel: every index of a storage or workgroup variable goes through a function that notes it, every block notes that
 * it runs, and workgroups have the places that `gmRun` gives them instead of their own, so that a few stand for a large grid.
 * `written`: storage variables that are only written; they need no memory.
 */
export function instrument(source: string, analysis: Analysis, written: ReadonlySet<string>): Instrumented {
  const { entry, blocks, sites, measured, module } = analysis;
  const dropped = new Set<string>();
  const edits = new Edits();
  for (const { name, type, start, end } of module.variables) {
    const [element] = type?.name === 'array' ? type.args : [];
    if (!element || !written.has(name) || measured.has(name)) continue;
    dropped.add(name);
    edits.replace(start, end, `var<private> ${name}: array<${source.slice(element.start, element.end)}, 1>;`);
  }
  const { parameters, before } = entryOf(source, analysis);
  edits.replace(entry.parametersStart, entry.parametersEnd, parameters);
  edits.insert(entry.body.start + 1, `\n${before}\n`);
  for (const [i, { at }] of blocks.entries()) edits.insert(at, ` gmTick(${i}u); `);
  for (const { id, indices, whole, action, statement } of sites) {
    for (const [i, { at }] of indices.entries()) edits.wrap(at.start, `gmSite${id}_${i}(u32(`, at.end, '))');
    if (!whole) continue;
    if (action === 'load') edits.wrap(whole.start, `gmValue${id}(`, whole.end, ')');
    else edits.insert(statement, `gmAt(${id}u, 0u); `);
  }
  return {
    source: `${edits.apply(source)}\n${tracing(blocks.length)}\n${sites.map((site) => functionsOf(site, analysis, dropped)).join('\n')}`,
    blocks: blocks.length,
    dropped,
  };
}

/** The entry point's parameters, and what its body begins with. */
function entryOf(
  source: string,
  { entry, workgroupSize, names, blocks }: Analysis,
): { parameters: string; before: string } {
  const named = new Map<string, string>();
  const others: Parameter[] = [];
  for (const parameter of entry.parameters) {
    if (names.typeNamed(parameter.type).kind === 'struct') {
      throw new WgslError(`WGSL: '${parameter.name}' of ${entry.name} is a struct; take its builtins as parameters`);
    }
    const [builtin] = parameter.attributes.find(({ name }) => name === 'builtin')?.args ?? [];
    const what = builtin?.kind === 'name' ? builtin.name : '';
    if (/^(workgroup_id|num_workgroups|(local|global)_invocation_id|local_invocation_index)$/.test(what)) {
      named.set(what, parameter.name);
    } else others.push(parameter);
  }
  const lane = named.get('local_invocation_index') ?? 'gmLane';
  const local = named.get('local_invocation_id') ?? 'gmLocal';
  const [x, y, z] = workgroupSize;
  const lets = [
    ['workgroup_id', 'gmGroup'],
    ['num_workgroups', 'gmRun.size.xyz'],
    ['global_invocation_id', `gmGroup * vec3u(${x}u, ${y}u, ${z}u) + ${local}`],
  ].flatMap(([builtin = '', value = '']) => (named.has(builtin) ? [`let ${named.get(builtin)} = ${value};`] : []));
  return {
    parameters: [
      '@builtin(workgroup_id) gmWorkgroup: vec3u',
      `@builtin(local_invocation_id) ${local}: vec3u`,
      `@builtin(local_invocation_index) ${lane}: u32`,
      ...others.map(({ start, end }) => source.slice(start, end)),
    ].join(', '),
    before: `let gmGroup = gmRun.groups[gmWorkgroup.x].xyz;
gmBase = (gmWorkgroup.x * ${x * y * z}u + ${lane}) * (${blocks.length + 2}u + 2u * gmRun.size.w);
${lets.join('\n')}`,
  };
}

const tracing = (blocks: number) => `
struct GmRun { size: vec4u, groups: array<vec4u, ${MOST_GROUPS}> }
@group(1) @binding(0) var<storage, read_write> gmLog: array<u32>;
@group(1) @binding(1) var<uniform> gmRun: GmRun;
var<private> gmBase: u32;
var<private> gmNext: u32;
fn gmTick(block: u32) { gmLog[gmBase + block] += 1u; }
fn gmAt(site: u32, units: u32) {
  // What there is no room for goes to the last place, which nobody reads: without a branch compilers are done sooner.
  let at = gmBase + ${blocks}u + 2u * min(gmNext, gmRun.size.w);
  gmLog[at] = site + 1u;
  gmLog[at + 1u] = units;
  gmNext++;
}`;

/** What the indices of a site go through. The last one knows all of them. */
function functionsOf(
  { id, variable, indices, whole, action }: Site,
  { names, module }: Analysis,
  dropped: ReadonlySet<string>,
): string {
  if (whole) {
    const declared = module.variables.find(({ name }) => name === variable)?.type;
    if (action !== 'load' || !declared) return '';
    if (names.typeNamed(declared).kind === 'struct')
      throw new WgslError(`WGSL: '${variable}' is a struct without an array`);
    return `fn gmValue${id}(value: ${declared.name}) -> ${declared.name} { gmAt(${id}u, 0u); return value; }`;
  }
  const isLong = indices.length > 1;
  const functions = indices.map(({ units }, i) => {
    const part = `i * ${units}u`;
    const sum = i === 0 ? part : `gmPart${id} + ${part}`;
    const note = i === indices.length - 1 ? `gmAt(${id}u, ${sum});` : `gmPart${id} = ${sum};`;
    return `fn gmSite${id}_${i}(i: u32) -> u32 { ${note} return ${i === 0 && dropped.has(variable) ? '0u' : 'i'}; }`;
  });
  return [...(isLong ? [`var<private> gmPart${id}: u32;`] : []), ...functions].join('\n');
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
