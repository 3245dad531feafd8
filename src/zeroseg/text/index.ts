export {
  cocoLabels,
  contextLabels,
  type DataSetDefinition,
  dataSets,
  imagenetClasses,
  promptTemplates,
} from './class-names.ts';
export { type ClassChoice, parseClassText } from './class-text.ts';
export { hashedTokens, type TextTokens } from './hashed-tokens.ts';
export { TokenTable } from './token-table.ts';
export { Tokenizer } from './tokenizer.ts';
