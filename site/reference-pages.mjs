// The op list and the reference as pages: one for each room of the sources.
import { commentMarkdown } from './markdown.mjs';
import { isOp } from './reference.mjs';

const blob = 'https://github.com/zeroseg/core/blob/main/';

/** What rooms of the sources are called; a room that is not here is called by its name. */
const titles = {
  'kernels/axis': 'Reductions and order',
  'kernels/layout': 'Shapes, slices, gathering',
  'kernels/indexing': 'Scatter and unique',
  'kernels/elementwise': 'Arithmetic, casts, random numbers',
  'kernels/comparison': 'Comparisons and logic',
  'kernels/functions': 'Elementary functions',
  'kernels/statistics': 'Statistics',
  'kernels/random': 'Random draws',
  'kernels/row-ops': 'Softmax, norms, losses',
  'kernels/matmul': 'Matrix products',
  'kernels/spatial': 'Convolution and pooling',
  'kernels/attention': 'Attention',
  'kernels/zeroseg': "ZeroSeg's own",
  gpu: 'Devices and kernels',
  'tensor/graph': 'Tensors and gradients',
  'tensor/run': 'Steps, reading, evaluation',
  'tensor/values': 'Types, shapes, errors',
  'nn/layers': 'Layers',
  'nn/optimizer': 'Optimizers and schedules',
  'nn/safetensors': 'Safetensors',
  'nn/torch': 'PyTorch files',
};

const roomOf = (entry) => (entry.name === 'gradients' ? 'tensor/graph' : entry.room);
export const titleOf = (room) => {
  const name = room.split('/').at(-1);
  return titles[room] ?? name[0].toUpperCase() + name.slice(1).replaceAll('-', ' ');
};
const pageOf = (entry) =>
  isOp(entry) ? `ops/${roomOf(entry).split('/').at(-1)}` : `reference/${roomOf(entry).replaceAll('/', '-')}`;

/** Where names are explained, as addresses from the site's root. */
export function addresses(entries) {
  const found = new Map(entries.map((entry) => [entry.name, `/${pageOf(entry)}.md#${entry.name}`]));
  return (name) => found.get(name);
}

/** The rooms of the ops, and those of the rest, each with its title and its page. */
export function rooms(entries) {
  const found = new Map();
  for (const entry of entries) {
    const room = roomOf(entry);
    if (!found.has(room))
      found.set(room, { room, title: titleOf(room), page: pageOf(entry), isOp: isOp(entry), entries: [] });
    found.get(room).entries.push(entry);
  }
  const order = Object.keys(titles);
  const place = ({ room }) => (order.includes(room) ? order.indexOf(room) : order.length);
  return [...found.values()].sort((a, b) => place(a) - place(b) || a.room.localeCompare(b.room));
}

/** Texts of pages by their paths. */
export function referencePages(entries, addressOf) {
  const all = rooms(entries);
  const pages = Object.fromEntries(all.map((room) => [`${room.page}.md`, roomPage(room, addressOf)]));
  pages['ops/index.md'] = opList(
    all.filter((room) => room.isOp && room.room !== 'kernels/zeroseg'),
    addressOf,
  );
  pages['reference/index.md'] = referenceList(all);
  return pages;
}

function roomPage({ title, entries, isOp: ops }, addressOf) {
  const [values, types] = [
    entries.filter(({ kind }) => kind !== 'type'),
    entries.filter(({ kind }) => kind === 'type'),
  ];
  const module = entries[0].module;
  const from = `From \`${module}\`${ops ? '; [how to read this page](./index.md)' : ''}.`;
  const parts = [`# ${title} {#page}`, from, ...[...values, ...types].map((entry) => entryText(entry, addressOf))];
  return `---\noutline: [2, 2]\neditLink: false\n---\n\n${parts.join('\n\n')}\n`;
}

function entryText(entry, addressOf) {
  const { name, code, text, members, kernels, uses, file, line } = entry;
  const parts = [`## ${name} {#${name}}`, fence('ts', code)];
  if (text) parts.push(commentMarkdown(text, addressOf));
  for (const { code: together, text: words } of explained(members)) {
    parts.push(fence('ts', together), words ? commentMarkdown(words, addressOf) : '');
  }
  if (isOp(entry) && entry.kind === 'function') {
    if (kernels.length > 0) parts.push(`::: details WGSL\n${fence('ts', kernels.join('\n\n'))}\n:::`);
    else if (uses.length > 0) {
      const links = [...new Set(uses)].filter(addressOf).map((one) => `[\`${one}\`](${addressOf(one)})`);
      parts.push(`Calls ${links.join(', ')}.`);
    }
  }
  parts.push(`<small>[${file}](${blob}${file}#L${line})</small>`);
  return parts.filter(Boolean).join('\n\n');
}

/** Members one below the other, up to one that has words of its own. */
function explained(members) {
  const blocks = [];
  for (const { code, text } of members) {
    const last = blocks.at(-1);
    if (last && !last.text) Object.assign(last, { code: `${last.code}\n${code}`, text });
    else blocks.push({ code, text });
  }
  return blocks;
}

const fence = (language, code) => `\`\`\`${language}\n${code}\n\`\`\``;

/** The first sentence of a comment, with its formula if that fits into a table. */
function firstSentence(text) {
  const words = text.split(/\n\n|\n```/)[0].replaceAll('\n', ' ');
  const sentence = /^(.*?\.)(?=\s|$)/.exec(words)?.[1] ?? words;
  return sentence.length <= 200 ? sentence : sentence.replace(/:\s.*$/, '.');
}

const cell = (markdown) => markdown.replaceAll('|', '\\|');

function table(entries, addressOf) {
  const rows = entries.map(
    ({ name, text }) =>
      `| [\`${name}\`](${addressOf(name)}) | ${cell(commentMarkdown(firstSentence(text), addressOf))} |`,
  );
  return ['| | |', '| --- | --- |', ...rows].join('\n');
}

function opList(opRooms, addressOf) {
  const count = opRooms.reduce((n, { entries }) => n + entries.filter(({ kind }) => kind === 'function').length, 0);
  const parts = opRooms.map(({ title, entries }) => {
    const ops = entries.filter(({ kind }) => kind === 'function').sort((a, b) => a.name.localeCompare(b.name));
    return `## ${title}\n\n${table(ops, addressOf)}`;
  });
  return `---
outline: [2, 2]
editLink: false
---

# Ops

${count} functions from tensors to tensors, all in \`@zeroseg/core\`. Nothing runs when one is called: it is recorded, and computed when its result
is read, or by the step that it is part of. Each has its formula, its shapes, its gradient, what it throws, and its kernels in WGSL as they
are written in the sources: \`T\` is the element type of the tensors, bindings and \`params\` are declared by the \`kernel\` around them.

Letters in shapes: B is the batch, N rows or tokens, C or D channels, H and W height and width. \`x\`, \`y\`, \`dy\`, \`dx\` are an input, the
result, and their gradients.

${parts.join('\n\n')}
`;
}

function referenceList(all) {
  const groups = [
    ['Tensors and devices', ({ room }) => /^(gpu|tensor)/.test(room)],
    ['Layers, optimizers, weights', ({ room }) => /^nn/.test(room)],
    ['ZeroSeg', ({ room }) => /zeroseg/.test(room)],
  ];
  const parts = groups.map(([title, belongs]) => {
    const rows = all.filter(belongs).map((room) => {
      const names = room.entries
        .filter(({ kind }) => kind !== 'type')
        .map(({ name }) => `[\`${name}\`](/${room.page}.md#${name})`);
      return `| [${room.title}](/${room.page}.md) | ${names.join(' ')} |`;
    });
    return `## ${title}\n\n| | |\n| --- | --- |\n${rows.join('\n')}`;
  });
  return `---\noutline: [2, 2]\neditLink: false\n---\n\n# Reference\n\nEverything that is exported, by where it comes from; ops have [a list of their own](/ops/index.md).\n\n${parts.join('\n\n')}\n`;
}
