export { builtPage, type ServedPage, type ServePageOptions, servePage } from './serve-page.ts';
