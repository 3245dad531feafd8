// WGSL as it ships, in packages and in the page: without comments and without space that separates nothing, which minifiers of
// JavaScript do not look into. It keeps its lines, which errors of its compiler name.

import ts from 'typescript-5.9';

/** Files of `src/` and `dist/` with WGSL: what has several lines there is WGSL, or the message of an error. */
export function holdsWgsl(file) {
  return /[\\/](src|dist)[\\/](kernels[\\/]|gpu[\\/]prelude|tensor[\\/]graph[\\/]elementwise|tensor[\\/]run[\\/]check[\\/]kernels)/.test(
    file,
  );
}

/** Replaces space that separates nothing in templates of several lines and what is inside them, but for messages of errors. */
export function denseWgsl(code) {
  const edits = [];
  const visit = (node, isWgsl) => {
    if (ts.isNewExpression(node)) return;
    const within =
      isWgsl ||
      ((ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)) && node.getText().includes('\n'));
    if (within && ts.isTemplateLiteralToken(node)) edits.push([node.getStart(), node.end]);
    ts.forEachChild(node, (child) => visit(child, within));
  };
  visit(ts.createSourceFile('code.ts', code, ts.ScriptTarget.ESNext, true), false);
  let dense = '';
  let at = 0;
  for (const [start, end] of edits) {
    dense += code.slice(at, start) + denseToken(code.slice(start, end));
    at = end;
  }
  return dense + code.slice(at);
}

/** The space between two words stays, and that between two operators: `a - -b`. What is brought into a template may be either. */
function denseToken(token) {
  const [, open, text, close] = /^([`}])(.*?)(`|\$\{)$/s.exec(token);
  const kindOf = (c) =>
    c === undefined ? 'unknown' : /\w/.test(c) ? 'word' : '()[]{},;'.includes(c) ? 'separator' : 'operator';
  const lines = text.replace(/^\s*\/\/.*\n/gm, '').replace(/\s*\n\s*/g, '\n');
  const dense = lines.replace(/ +/g, (spaces, at, all) => {
    const kinds = [kindOf(all[at - 1]), kindOf(all[at + spaces.length])];
    const separates = !kinds.includes('separator') && (kinds[0] === kinds[1] || kinds.includes('unknown'));
    return separates ? ' ' : '';
  });
  return open + dense + close;
}
