// The part of opentype.js 2 that lettering.ts uses. @types/opentype.js describes version 1 and pulls in
// lib.dom, which collides with @webgpu/types.
declare module 'opentype.js/dist/opentype.mjs' {
  export interface Glyph {
    readonly index: number;
    readonly advanceWidth: number;
    getPath(x: number, y: number, size: number): { toPathData(decimals: number): string };
  }
  export interface Font {
    readonly unitsPerEm: number;
    readonly ascender: number;
    readonly descender: number;
    charToGlyph(character: string): Glyph;
    getKerningValue(left: Glyph, right: Glyph): number;
  }
  export function parse(bytes: ArrayBuffer): Font;
}
