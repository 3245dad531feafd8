import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { returnedPromises } from './support/returned-promises.ts';

const root = resolve(import.meta.dirname, '..');

/** In a file of src/, so that types of the library are known as they are there. */
const planted = `import { openDevice } from './gpu/index.ts';
import { read } from './tensor/run/index.ts';
import type { Tensor } from './tensor/graph/index.ts';
declare const x: Tensor;
declare function held(): Disposable & AsyncDisposable;
async function a() { using device = await openDevice(); return read(x); } // found
async function b() { await using y = held(); if (y) { return read(x); } return 1; } // found
function c(yes: boolean) { using y = held(); return yes ? read(x) : 1; } // found
async function d() { for (using y of [held()]) return read(x); } // found
async function e() { try { return read(x); } catch { return 1; } } // found
async function f() { try { await read(x); } catch { return read(x); } finally { held(); } } // found
async function g() { using y = held(); return await read(x); }
async function h() { if (held()) return read(x); using y = held(); return 1; }
async function i() { using y = held(); const later = () => { return read(x); }; return await later(); }
async function j() { { using y = held(); } return read(x); }
async function k() { try { await read(x); } catch { return read(x); } }
async function l() { using y = held(); return y; }
`;

test('no promise is returned that outlives what it needs', { timeout: 120_000 }, () => {
  const file = 'src/planted.ts';
  const marked = planted.split('\n').flatMap((line, i) => (line.endsWith('// found') ? [{ file, line: i + 1 }] : []));
  expect(returnedPromises(root, ['src', 'cli/src', 'web/src'], { file, text: planted })).toEqual(marked);
});
