// Builds both packages with code: dist/ and cli/dist. What the last build made goes first: a file that was moved since would be
// packed too. Comments stay in the declarations, where editors show them, and go from the code and from the WGSL in it: they are a third of what
// a page's project installs.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import ts from 'typescript-5.9';
import { denseWgsl, holdsWgsl } from './dense-wgsl.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
/** What the packages export. */
const exportsOf = {
  '': ['index', 'nn/index', 'zeroseg/index', 'distributed', 'internal'],
  cli: ['index', 'bench/index', 'gpu-model/index'],
};
/** Where lines tell nothing that names do not: the pipeline, whose code is the most. */
const isAbove = /[\\/]dist[\\/]zeroseg[\\/](?!text[\\/]clip-merges)/;
/** Where no class is a module, whose fields are parameters in their order. */
const ofTensors = /[\\/]dist[\\/](gpu|tensor)[\\/]/;
for (const folder of ['', 'cli']) {
  const dist = join(root, folder, 'dist');
  rmSync(dist, { recursive: true, force: true });
  execFileSync(process.execPath, [tsc, '-p', join(root, folder, 'tsconfig.build.json')], {
    cwd: root,
    stdio: 'inherit',
  });
  const [declared, documented] = [exportsOf[folder], exportsOf[folder].filter((name) => name !== 'internal')].map(
    (names) => declarationsFrom(names.map((name) => join(dist, `${name}.d.ts`))),
  );
  const shown = new Set(
    exportsOf[folder]
      .filter((name) => name !== 'internal')
      .flatMap((name) => [...namesFrom(join(dist, `${name}.d.ts`))]),
  );
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (file.endsWith('.d.ts')) {
      if (!declared.has(file)) rmSync(file);
      else {
        const text = readFileSync(file, 'utf8').replace(/^ +/gm, '');
        // What only `/internal` leads to is read in the sources, if at all; so is what a file declares for its neighbours.
        const helper = /^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n(?=export declare (?:function|const) (\w+))/gm;
        const ofNames = text.replace(helper, (comment, name) => (shown.has(name) ? comment : ''));
        writeFileSync(file, documented.has(file) ? ofNames : text.replace(/^\/\*\*[\s\S]*?\*\/\n/gm, ''));
      }
    }
    if (!file.endsWith('.js')) continue;
    const { code } = transformSync(readFileSync(file, 'utf8'), {
      format: 'esm',
      // Names stay, and below the pipeline lines; a page's project holds 3.2 MB with it.
      minifySyntax: true,
      ...(isAbove.test(file) ? { minifyWhitespace: true, lineLimit: 120 } : {}),
      target: 'es2023',
      charset: 'utf8',
      legalComments: 'inline',
    });
    // No comment of JavaScript is left: a line that begins like one is of a kernel.
    const lines = code.replace(/^[ \t]*\/\/.*\n/gm, '');
    const plain = ofTensors.test(file) ? withoutPlainFields(lines) : lines;
    writeFileSync(file, withTabs(holdsWgsl(file) ? denseWgsl(plain) : plain));
  }
}

/** Fields that a constructor sets need no line of their own, which minifiers would keep. */
function withoutPlainFields(code) {
  return code.replace(/^ {2}([a-z]\w*);\n/gm, (line, name) => (code.includes(`this.${name} = `) ? '' : line));
}

/** Code whose lines begin with tabs; the lines of texts stay. */
function withTabs(code) {
  const texts = [];
  const visit = (node) => {
    if (ts.isTemplateLiteralToken(node)) texts.push([node.getStart(), node.end]);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('code.js', code, ts.ScriptTarget.ESNext, true));
  return code.replace(/^ +/gm, (spaces, at) =>
    texts.some(([start, end]) => start < at && at < end) ? spaces : spaces.replaceAll('  ', '\t'),
  );
}

/** What a file exports: its own, and by their first names those of others. */
function namesFrom(file) {
  const text = readFileSync(file, 'utf8');
  const names = [...text.matchAll(/export declare \w+ (\w+)/g)].map(([, name]) => name);
  for (const [, list] of text.matchAll(/export (?:type )?\{([^}]*)\}/g)) {
    for (const one of list.split(','))
      names.push(
        one
          .trim()
          .replace(/^type /, '')
          .replace(/ as .*/, ''),
      );
  }
  for (const [, path] of text.matchAll(/export \* from ['"](\.[^'"]+)\.[tj]s['"]/g)) {
    names.push(...namesFrom(join(dirname(file), `${path}.d.ts`)));
  }
  return new Set(names);
}

/** The declarations that these lead to. Of the other files, no program can see any. */
function declarationsFrom(entries) {
  const found = new Set();
  const open = [...entries];
  for (let file = open.pop(); file; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, path] of readFileSync(file, 'utf8').matchAll(
      /(?:from |import\(|import )['"](\.[^'"]+)\.[tj]s['"]/g,
    )) {
      open.push(join(dirname(file), `${path}.d.ts`));
    }
  }
  return found;
}
