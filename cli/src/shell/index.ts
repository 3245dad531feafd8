export {
  commandText,
  countOrAll,
  gather,
  neededToBegin,
  numberFrom,
  offeredWords,
  offering,
  oneOf,
  parseNames,
  parseNamesOrCount,
  seedRange,
  shellWord,
  wholeNumber,
  wholeNumbers,
} from './arguments.ts';
export {
  classesHelp,
  parseClasses,
  parseSynonyms,
  readColours,
  withoutUnknown,
  withSynonyms,
} from './class-choices.ts';
export { addCommonOptions } from './common-options.ts';
export { adapterOption, type Context, withDevice } from './context.ts';
export { errorWords, Interrupted, UsageError } from './errors.ts';
export { catchInterruption, type Interruption, signalExitCodes, stoppedWords } from './interruption.ts';
export { countOf, type KnownNames, knownNames, tellImagery, tellUnknown } from './known-names.ts';
export {
  averageWords,
  checkPatches,
  clipOf,
  clipPlace,
  dataSetWords,
  embedNames,
  loadModel,
  type ModelAndWordsArguments,
  modelAndWordsOptions,
  modelFacts,
  openModelAndClip,
  openModelAndWords,
  weightHashes,
  withNaming,
} from './model-and-words.ts';
export {
  type GroupArguments,
  groupOptions,
  groupRules,
  type RefineArguments,
  refineOptions,
  refineRule,
  teacherPriorOption,
} from './pixel-options.ts';
export { checkResultFile, checkResultFolder } from './result-file.ts';
export { groundsOption, redrawnOption } from './scene-options.ts';
export {
  count,
  countIn,
  formatDuration,
  formatPercent,
  formatRate,
  notesTerminal,
  Progress,
  printable,
  printableTerminal,
  printLines,
  processTerminal,
  quietTerminal,
  type Streams,
  sentence,
  singular,
  type Terminal,
} from './terminal.ts';
export { parseAssignments, resolveOptions, type TrainOptions, trainChoices } from './train-options.ts';
export { version } from './version.ts';
