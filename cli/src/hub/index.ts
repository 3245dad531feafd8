export { type Download, type DownloadOptions, downloadModel } from './download-model.ts';
