/** Promises that leave a function before what they need is disposed of. */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript-5.9';

/** Where a promise is returned that nothing waits for. */
export interface ReturnedPromise {
  /** From the root of the repository. */
  readonly file: string;
  readonly line: number;
}

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts'],
  types: ['node'],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  jsx: ts.JsxEmit.ReactJSX,
  jsxImportSource: 'preact',
  strict: true,
  allowImportingTsExtensions: true,
  noEmit: true,
};

/**
 * Every `return` of a promise that is not awaited below a `using` declaration, or inside of `try`: the resource is disposed of, `finally`
 * runs and `catch` is passed by before the promise settles.
 *
 * @param folders what is looked at, from `root`.
 * @param planted a file that is not there, and its text: looked at with the others.
 */
export function returnedPromises(
  root: string,
  folders: readonly string[],
  planted: { readonly file: string; readonly text: string },
): ReturnedPromise[] {
  const { paths } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config.compilerOptions;
  const host = ts.createCompilerHost({ ...options, baseUrl: root });
  const { readFile, fileExists } = host;
  const own = join(root, planted.file);
  host.readFile = (name) => (name === own ? planted.text : readFile(name));
  host.fileExists = (name) => name === own || fileExists(name);
  host.jsDocParsingMode = ts.JSDocParsingMode.ParseNone;
  const files = folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => join(root, folder, `${name}`)),
    )
    .filter((name) => /(?<!\.d)\.tsx?$/.test(name) && /\busing\b|\btry\b/.test(readFile(name) ?? ''));
  const program = ts.createProgram([...files, own], { ...options, baseUrl: root, paths }, host);
  const checker = program.getTypeChecker();
  const found: ReturnedPromise[] = [];
  for (const name of program.getRootFileNames()) {
    const file = program.getSourceFile(name)!;
    const visit = (node: ts.Node): void => {
      if (ts.isReturnStatement(node) && node.expression && isGuarded(node) && leavesPromise(node.expression, checker)) {
        const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
        found.push({ file: relative(root, name), line: line + 1 });
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

/** Whether a declaration of `using` stands before the statement in a block around it, or a `try` with more than itself is around it. */
function isGuarded(statement: ts.Node): boolean {
  for (let node = statement; node.parent && !ts.isFunctionLike(node); node = node.parent) {
    const { parent } = node;
    if (
      ts.isTryStatement(parent) &&
      (node === parent.tryBlock || (node === parent.catchClause && parent.finallyBlock))
    ) {
      return true;
    }
    const siblings = ts.isBlock(parent) || ts.isCaseOrDefaultClause(parent) ? parent.statements : undefined;
    if (siblings?.some((one) => one.pos < node.pos && isUsing(one))) return true;
    if (ts.isForOfStatement(parent) && isUsing(parent.initializer)) return true;
  }
  return false;
}

function isUsing(node: ts.Node): boolean {
  const list = ts.isVariableStatement(node) ? node.declarationList : node;
  return ts.isVariableDeclarationList(list) && (list.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using;
}

/** Whether a value of the expression, of either side of a choice, can be waited for and is not. */
function leavesPromise(expression: ts.Expression, checker: ts.TypeChecker): boolean {
  const inner = ts.skipPartiallyEmittedExpressions(expression);
  if (ts.isAwaitExpression(inner)) return false;
  if (ts.isParenthesizedExpression(inner)) return leavesPromise(inner.expression, checker);
  if (ts.isConditionalExpression(inner)) {
    return leavesPromise(inner.whenTrue, checker) || leavesPromise(inner.whenFalse, checker);
  }
  const type = checker.getTypeAtLocation(inner);
  const parts = type.isUnion() ? type.types : [type];
  return parts.some((part) => part.getProperty('then') !== undefined);
}
