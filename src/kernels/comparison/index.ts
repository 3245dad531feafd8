export { equal, greater, greaterEqual, less, lessEqual, notEqual } from './compare.ts';
export { isFinite, isInf, isNaN, logicalAnd, logicalNot, logicalOr, logicalXor } from './logic.ts';
