export { chartLibrary } from './charts.ts';
export { escapeHtml, htmlPercent, scriptLiteral } from './escape.ts';
export { type HtmlPage, htmlPage } from './page.ts';
