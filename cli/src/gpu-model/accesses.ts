import {
  bytesOf,
  type Expression,
  elementOf,
  memberOf,
  type Names,
  type Span,
  scalar,
  scalarOf,
  strideOf,
  type Type,
  textOf,
  unknown,
  type Variable,
} from '../wgsl/index.ts';
import { withoutStatic } from './known.ts';
import type { Operations } from './operations.ts';
import type { Named, Place, Registers } from './registers.ts';
import { isVariable, rootOf, Scopes } from './scopes.ts';
import type { Length, Point, Site, Stretch, Through } from './sites.ts';

type Step = Expression & { kind: 'index' | 'member' };

interface Followed {
  readonly type: Type;
  readonly offset: number;
  readonly dynamic: readonly { readonly at: Expression; readonly bytes: number }[];
}

/** The part of a walk that finds what a kernel touches: names, elements, members, and what pointers point to. */
export abstract class Accesses {
  readonly sites: Site[] = [];
  readonly points: Point[] = [];
  readonly lengths: Length[] = [];
  readonly blocks: Stretch[] = [];
  readonly scratch: Map<string, number> = new Map();
  readonly pointedTo: Set<string> = new Set();
  protected readonly source: string;
  protected readonly names: Names;
  protected readonly scopes: Scopes;
  /** The stretch that is walked. */
  protected block = 0;

  constructor(source: string, names: Names) {
    this.source = source;
    this.names = names;
    this.scopes = new Scopes(names);
  }

  get registers(): Registers {
    return this.scopes.registers;
  }

  /** Counts what an expression costs; gives its type. */
  protected abstract value(of: Expression): Type;

  protected get ops(): Operations {
    return (this.blocks[this.block] as Stretch).ops;
  }

  /** `x`, `x[i]`, `x[i].y`, `*p`, and so on: gives the type of the value. `through`: what else can note it. */
  protected access(of: Expression, action: Site['action'], through: Through = { start: of.start, end: of.end }): Type {
    const { base, steps, isPointed } = partsOf(of);
    const symbol = base.kind === 'name' ? this.scopes.lookUp(base.name) : undefined;
    const target = symbol?.target;
    const global = base.kind === 'name' ? this.scopes.global(base.name) : undefined;
    const variable = target && isVariable(target) ? target : global;
    if (symbol) this.registers.use(symbol, of.end);
    if (target && !isVariable(target)) this.registers.use(target, of.end);
    let whole: Type;
    if (symbol) whole = symbol.type;
    else if (variable) whole = this.#typeOf(variable);
    else if (base.kind === 'name') whole = this.names.constantType(base);
    else whole = this.value(base);
    // Members and elements of what a pointer points to can be had without the star.
    if (whole.kind === 'ptr' && (isPointed || steps.length > 0)) whole = whole.of;
    const { type, offset, dynamic } = this.#follow(whole, steps);
    if (variable && isTraced(variable)) {
      if (type.kind === 'ptr' || type === unknown) return type;
      const single = whole.kind === 'array' || symbol ? undefined : base.end;
      this.#site(variable, of, action, { type, offset, dynamic, single, place: symbol?.place, through });
    } else if (
      whole.kind === 'array' &&
      dynamic.some(({ at }) => !this.scopes.isStatic(at)) &&
      variable?.space !== 'uniform'
    ) {
      this.ops.scratch += action === 'update' ? 2 : 1;
      if (symbol) symbol.inScratch = true;
      const root = target ?? symbol ?? variable;
      if (root) this.keepInMemory(root);
      else if (base.kind === 'name') this.scratch.set(base.name, bytesOf(whole));
    }
    return type;
  }

  /** From a value through members and elements: the type, bytes that are known, and the indices on the way. */
  #follow(whole: Type, steps: readonly Step[]): Followed {
    let [type, offset] = [whole, 0];
    const dynamic: { at: Expression; bytes: number }[] = [];
    for (const one of steps) {
      if (one.kind === 'member') {
        const [next, bytes] = memberOf(type, one.name);
        [type, offset] = [next, offset + bytes];
      } else {
        this.value(withoutStatic(one.at, (part) => this.scopes.isStatic(part)));
        dynamic.push({ at: one.at, bytes: strideOf(type) });
        type = elementOf(type);
      }
    }
    return { type, offset, dynamic };
  }

  #site(
    { name, space }: Variable,
    of: Expression,
    action: Site['action'],
    {
      type,
      offset,
      dynamic,
      single,
      place,
      through,
    }: Followed & {
      single: number | undefined;
      place: Place | undefined;
      through: Through;
    },
  ): void {
    let [leaf, times] = [type, 1];
    let apart = 0;
    while (leaf.kind === 'array') {
      [times, apart] = [times * (leaf.count ?? 1), strideOf(leaf)];
      leaf = leaf.of;
    }
    const unit = bytesOf(scalar(scalarOf(leaf) ?? 'u32'));
    // Addresses of 64 bits; those of workgroup memory are small, and kept as bytes from turn to turn.
    if (space === 'storage') this.ops.integers++;
    const isNoted = dynamic.length > 0 || single !== undefined;
    this.sites.push({
      ...{ id: this.sites.length, variable: name, space: space as Site['space'], action },
      ...{ bytes: bytesOf(leaf), times, apart, offset: offset + (place?.offset ?? 0), unit },
      ...{ block: this.block, text: this.text(of), line: this.source.slice(0, of.start).split('\n').length },
      indices: dynamic.map(({ at, bytes }) => ({ at, units: bytes / unit })),
      ...{ single, point: place?.point },
      through: isNoted ? undefined : { ...through, type: textOf(type) },
    });
  }

  /** `&of`: where it points is kept for those who use it. */
  protected address(of: Expression): { readonly type: Type; readonly place: Place | undefined } {
    const root = rootOf(of);
    const symbol = root === undefined ? undefined : this.scopes.lookUp(root);
    const variable = symbol ? symbol.target : root && this.scopes.global(root);
    if (!variable || !isVariable(variable) || !isTraced(variable))
      return { type: { kind: 'ptr', of: this.access(of, 'update') }, place: undefined };
    const { base, steps } = partsOf(of);
    if (symbol) this.registers.use(symbol, of.end);
    const own = symbol ? symbol.type : this.#typeOf(variable);
    const whole = own.kind === 'ptr' ? own.of : own;
    const { type, offset, dynamic } = this.#follow(whole, steps);
    this.pointedTo.add(variable.name);
    const single = symbol || whole.kind === 'array' ? undefined : base.end;
    const before = symbol?.place;
    const place = { point: before?.point, offset: offset + (before?.offset ?? 0) };
    if (dynamic.length === 0 && single === undefined) return { type: { kind: 'ptr', of: type }, place };
    const point = this.points.length;
    this.points.push({ id: point, indices: dynamic, single, before: before?.point });
    return { type: { kind: 'ptr', of: type }, place: dynamic.length === 0 ? place : { ...place, point } };
  }

  /** The length of a buffer, by its name or a pointer to it; `call`: what asks for it. */
  protected length(of: Expression, call: Span): void {
    const variable = this.scopes.targetOf(of);
    if (!variable || !isVariable(variable)) return;
    this.lengths.push({
      start: call.start,
      end: call.end,
      variable: variable.name,
      stride: strideOf(this.#typeOf(variable)),
    });
  }

  /** An array with an index that is known only when it runs. */
  protected keepInMemory(of: Named | Variable): void {
    const type = isVariable(of) ? of.type && this.names.typeNamed(of.type) : of.type;
    this.scratch.set(of.name, type ? bytesOf(type) : 0);
    if (!isVariable(of)) of.inScratch = true;
  }

  protected text({ start, end }: Span): string {
    return this.source.slice(start, end);
  }

  #typeOf({ type }: Variable): Type {
    return type ? this.names.typeNamed(type) : unknown;
  }
}

export const isTraced = ({ space }: Variable): boolean => space === 'storage' || space === 'workgroup';

function partsOf(of: Expression): { base: Expression; steps: Step[]; isPointed: boolean } {
  const steps: Step[] = [];
  let base = of;
  while (base.kind === 'index' || base.kind === 'member') {
    steps.unshift(base);
    base = base.base;
  }
  const isPointed = base.kind === 'unary' && base.op === '*';
  if (base.kind === 'unary' && /[&*]/.test(base.op)) base = base.of;
  return { base, steps, isPointed };
}
