// What to call things: the classes of data sets, and the sentences around their names.
export { cocoLabels, contextLabels, type DataSetDefinition, dataSets } from './names/data-sets.ts';
export { imagenetClasses } from './names/imagenet-classes.ts';
export { promptTemplates } from './names/prompt-templates.ts';
