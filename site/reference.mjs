// What the packages export, with the words above it: read from the sources by TypeScript's own parser.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript-5.9';

const root = fileURLToPath(new URL('..', import.meta.url));
let checker;

/** @typedef {{ name: string, module: string, file: string, room: string, kind: 'function' | 'class' | 'value' | 'type',
 *    code: string, text: string, members: { name: string, code: string, text: string }[], kernels: string[], uses: string[], line: number }} Entry */

/** Every export of the packages: `@zeroseg/core` first, then what `@zeroseg/core/zeroseg` has besides. @returns {Entry[]} */
export function readReference() {
  const entries = [
    { module: '@zeroseg/core', file: join(root, 'src/index.ts') },
    { module: '@zeroseg/core/zeroseg', file: join(root, 'src/zeroseg/index.ts') },
  ];
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => readFileSync(file, 'utf8'));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    { ...options, types: [], noLib: true },
  );
  checker = program.getTypeChecker();
  const found = new Map();
  for (const { module, file } of entries) {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(file));
    for (const exported of checker.getExportsOfModule(symbol)) {
      if (found.has(exported.name)) continue;
      const meant = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const entry = describe(exported.name, module, meant.declarations ?? []);
      if (entry) found.set(exported.name, entry);
    }
  }
  const entriesFound = [...found.values()];
  const ops = new Set(entriesFound.filter((entry) => isOp(entry) && entry.kind === 'function').map(({ name }) => name));
  for (const entry of entriesFound) entry.uses = entry.uses.filter((name) => ops.has(name) && name !== entry.name);
  return entriesFound;
}

/** Whether an export is an op, or belongs to one: it is in a room of `src/kernels`. */
export const isOp = ({ name, file }) => file.startsWith('src/kernels/') && name !== 'gradients';

function describe(name, module, declarations) {
  const [first] = declarations;
  if (!first) return undefined;
  const source = first.getSourceFile();
  const file = relative(root, source.fileName);
  const room = file.replace(/^src\//, '').replace(/\/[^/]*$/, '');
  const line = source.getLineAndCharacterOfPosition(first.getStart()).line + 1;
  const entry = { name, module, file, room, line, text: commentOf(first), members: [], kernels: [], uses: [] };
  if (ts.isFunctionDeclaration(first)) {
    const open = declarations.filter((one) => !one.body || declarations.length === 1);
    const text = open.map(commentOf).filter(Boolean).join('\n\n');
    return {
      ...entry,
      kind: 'function',
      text,
      code: open.map(signatureOf).join('\n'),
      ...reachedBy(declarations.at(-1)),
    };
  }
  if (ts.isClassDeclaration(first)) return { ...entry, kind: 'class', code: headOf(first), members: membersOf(first) };
  if (ts.isVariableDeclaration(first)) {
    const statement = first.parent.parent;
    const type = first.type ? `: ${first.type.getText()}` : '';
    return { ...entry, kind: 'value', text: commentOf(statement), code: `const ${name}${type}`, ...reachedBy(first) };
  }
  return { ...entry, kind: 'type', code: first.getText().replace(/^export /, '') };
}

/** The comment above a declaration, without its marks. */
function commentOf(node) {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const text = comments.at(-1)?.getText() ?? '';
  return text
    .replace(/^\/\*\*\s?/, '')
    .replace(/\s*\*\/$/, '')
    .replace(/^[ \t]*\* ?/gm, '')
    .trim();
}

/** A function or method without its body. */
function signatureOf(node) {
  const text = node.getText();
  const code = node.body ? text.slice(0, node.body.getStart() - node.getStart()) : text;
  return dedent(
    code
      .replace(/^export /, '')
      .replace(/^(public|async) /gm, '')
      .trim()
      .replace(/;$/, ''),
  );
}

/** `class AdamW extends Optimizer<'m' | 'v'>` */
function headOf(node) {
  const text = node.getText();
  return text
    .slice(0, text.indexOf('{', text.indexOf(node.name.text)))
    .replace(/^export /, '')
    .trim();
}

function membersOf(node) {
  const isHidden = (member) =>
    (member.name && ts.isPrivateIdentifier(member.name)) ||
    ts
      .getModifiers(member)
      ?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.ProtectedKeyword);
  return node.members
    .filter((member) => !isHidden(member) && !(member.name && ts.isComputedPropertyName(member.name)))
    .filter(
      (member, _, all) =>
        !member.body || !all.some((other) => other !== member && !other.body && nameOf(other) === nameOf(member)),
    )
    .map((member) => ({ name: nameOf(member), text: commentOf(member), code: memberCode(member) }));
}

const nameOf = (member) => (ts.isConstructorDeclaration(member) ? 'constructor' : (member.name?.getText() ?? ''));

function memberCode(member) {
  if (!ts.isPropertyDeclaration(member)) return signatureOf(member);
  const type = member.type ? `: ${member.type.getText()}` : '';
  const modifiers = (ts.getModifiers(member) ?? []).map((one) => one.getText()).filter((one) => one !== 'override');
  return [...modifiers, `${member.name.getText()}${type}`].join(' ');
}

/** Kernels that a function leads to inside of its file, as they are declared there; and the names that it uses on the way. */
function reachedBy(node) {
  const source = node.getSourceFile();
  const atTop = new Map();
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement))
      for (const one of statement.declarationList.declarations) atTop.set(one.name.getText(), statement);
    else if (statement.name) atTop.set(statement.name.getText(), statement);
  }
  const [seen, names, kernels] = [new Set(), new Set(), []];
  const visit = (at) => {
    if (ts.isCallExpression(at) && ts.isIdentifier(at.expression)) names.add(importedName(at.expression));
    if (ts.isIdentifier(at)) {
      const declared = atTop.get(at.text);
      const isExported =
        declared && ts.getModifiers(declared)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      if (declared && !seen.has(declared) && !(isExported && ts.isFunctionDeclaration(declared))) {
        seen.add(declared);
        if (ts.isVariableStatement(declared) && holdsWgsl(declared)) kernels.push(declared);
        visit(declared);
      }
    }
    ts.forEachChild(at, visit);
  };
  seen.add(ts.isVariableDeclaration(node) ? node.parent.parent : node);
  if (ts.isVariableDeclaration(node) ? false : node.body) visit(node.body);
  kernels.sort((a, b) => a.pos - b.pos);
  return { kernels: kernels.map((one) => codeOf(one)), uses: [...names] };
}

/** What a name that is called stands for, if it was imported: not a variable of the same name. */
function importedName(identifier) {
  const symbol = checker.getSymbolAtLocation(identifier);
  return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol).name : undefined;
}

/** A template of several lines, or something that is made of WGSL: a kernel by its name. */
const holdsWgsl = (statement) =>
  /\bwgsl:|\bbody:|\bforward: ['`]|[kK]ernel\(|makeUnary\(|wgsl \*\//.test(statement.getText());

function codeOf(statement) {
  const comment = ts.getLeadingCommentRanges(statement.getSourceFile().text, statement.pos)?.at(-1);
  const start = comment ? comment.pos : statement.getStart();
  return statement.getSourceFile().text.slice(start, statement.end).replaceAll('/*#__PURE__*/ ', '').trim();
}

function dedent(code) {
  const [first, ...rest] = code.split('\n');
  const depth = Math.min(
    ...rest.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length),
    Number.POSITIVE_INFINITY,
  );
  return [first, ...rest.map((line) => line.slice(Number.isFinite(depth) && depth > 2 ? depth - 2 : 0))].join('\n');
}
