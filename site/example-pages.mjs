// A page for each example: its own first comment as title and introduction, and the program to run and change.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../examples', import.meta.url));
/** In the order in which one would read them; what is not here comes behind. */
const order = [
  'digits',
  'training-loop',
  'own-op',
  'autoencoder',
  'unet',
  'text-gru',
  'gpt',
  'lora',
  'diffusion',
  'gan',
  'clip',
];

/** `{ name, title, words, program }` of each: the first line is `// Title: what it does.` */
export function examples() {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => file.replace('.mjs', ''));
  const place = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return names
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
    .map((name) => {
      const program = readFileSync(`${folder}/${name}.mjs`, 'utf8');
      const comment =
        /^(?:\/\/.*\n)+/
          .exec(program)?.[0]
          .replace(/^\/\/ ?/gm, '')
          .replaceAll('\n', ' ') ?? '';
      const [, title, words] = /^([^:]+): (.*?)\s*$/.exec(comment) ?? [];
      if (!title) throw new Error(`examples/${name}.mjs must begin with a comment '// Title: what it does.'`);
      return { name, title, words: words[0].toUpperCase() + words.slice(1), program };
    });
}

export function examplePages() {
  const all = examples();
  const pages = Object.fromEntries(
    all.map(({ name, title, words, program }) => [
      `examples/${name}.md`,
      `---\naside: false\neditLink: false\n---\n\n# ${title}\n\n${words} In Node it is \`node examples/${name}.mjs\`.\n\n<RunnableExample name="${name}">\n\n\`\`\`js\n${program.trimEnd()}\n\`\`\`\n\n</RunnableExample>\n`,
    ]),
  );
  const rows = all.map(({ name, title, words }) => `| [${title}](./${name}.md) | ${words} |`).join('\n');
  pages['examples/index.md'] =
    `---\neditLink: false\n---\n\n# Examples\n\nEach is one small file of the folder \`examples\`, runs unchanged in Node and in this page on your own GPU, and can be changed here before it runs. They download nothing: what they learn from is drawn or written in the file.\n\n| | |\n| --- | --- |\n${rows}\n`;
  return pages;
}
