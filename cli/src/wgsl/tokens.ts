import { WgslError } from './error.ts';
import type { Span } from './syntax.ts';

export interface Token extends Span {
  readonly kind: 'name' | 'number' | 'sign' | 'end';
  readonly text: string;
}

/** Longest first. `>>` and what begins with it are two tokens, since templates end with `>`; the parser joins them. */
const signs = [
  ...[
    '<<=',
    '->',
    '++',
    '--',
    '&&',
    '||',
    '<<',
    '<=',
    '>=',
    '==',
    '!=',
    '+=',
    '-=',
    '*=',
    '/=',
    '%=',
    '&=',
    '|=',
    '^=',
  ],
  ...'+-*/%&|^~!<>=(){}[].,;:@',
];
const pattern = new RegExp(
  [
    String.raw`(?<space>\s+|//[^\n]*)`,
    String.raw`(?<name>[\p{XID_Start}_]\p{XID_Continue}*)`,
    String.raw`(?<number>0[xX][0-9a-fA-F.]+(?:[pP][+-]?\d+)?[iufh]?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[iufh]?)`,
    `(?<sign>${signs.map((sign) => sign.replaceAll(/[.*+?^${}()|[\]/]/g, '\\$&')).join('|')})`,
  ].join('|'),
  'yu',
);

/** The tokens of WGSL, and one at the end. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let start = 0;
  while (start < source.length) {
    if (source.startsWith('/*', start)) {
      start = commentEnd(source, start);
      continue;
    }
    pattern.lastIndex = start;
    const { name, number, sign, space } = pattern.exec(source)?.groups ?? {};
    const text = name ?? number ?? sign ?? space;
    if (text === undefined) throw new WgslError(`WGSL: what is '${source[start]}' at ${placeOf(source, start)}?`);
    const end = start + text.length;
    if (space === undefined) tokens.push({ kind: name ? 'name' : number ? 'number' : 'sign', text, start, end });
    start = end;
  }
  tokens.push({ kind: 'end', text: '', start, end: start });
  return tokens;
}

/** Comments nest. */
function commentEnd(source: string, start: number): number {
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source.startsWith('/*', at)) depth++;
    else if (source.startsWith('*/', at)) depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return source.length;
}

/** `line 3, column 14`. */
export function placeOf(source: string, at: number): string {
  const before = source.slice(0, at).split('\n');
  return `line ${before.length}, column ${(before.at(-1) as string).length + 1}`;
}
