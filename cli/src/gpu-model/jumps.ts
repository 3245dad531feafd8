import type { Statement } from '../wgsl/index.ts';

type Jump = (Statement & { kind: 'jump' })['word'];

/** Whether a lane may go from inside of a statement to somewhere other than what follows it. `caught`: jumps that end inside. */
export function mayLeave(statement: Statement, caught: readonly Jump[] = []): boolean {
  const any = (statements: readonly Statement[], also: readonly Jump[] = []) =>
    statements.some((one) => mayLeave(one, [...caught, ...also]));
  switch (statement.kind) {
    case 'jump':
      return !caught.includes(statement.word);
    case 'block':
      return any(statement.body.statements);
    case 'if':
      return any([...statement.then.statements, ...(statement.otherwise ? [statement.otherwise] : [])]);
    case 'switch':
      return statement.cases.some(({ statements }) => any(statements, ['break']));
    case 'loop':
      return any(statement.body.statements, ['break', 'continue']);
    default:
      return false;
  }
}
