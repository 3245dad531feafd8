import * as ort from './ort.mjs';

export const open = (options) => ort.open(options, { older: true });
