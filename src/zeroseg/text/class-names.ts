// What to call things: the classes of data sets, and the sentences around their names.
export { cocoLabels, contextLabels, type DataSetDefinition, dataSets } from './class-lists.ts';
export { imagenetClasses } from './imagenet-classes.ts';
export { promptTemplates } from './prompt-templates.ts';
