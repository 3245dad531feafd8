/** uPlot as text, for reports that load nothing. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { printable } from '../shell/index.ts';

/** What a page with charts needs in its head, and before its own script. */
export function chartLibrary(): { readonly style: string; readonly script: string } {
  const { resolve } = createRequire(import.meta.url);
  const read = (file: string): string => readFileSync(resolve(`uplot/dist/${file}`), 'utf8');
  // It stops at a language that Intl does not know, such as the en-US@posix of some headless browsers.
  const language =
    "try { new Intl.NumberFormat(navigator.language) } catch { Object.defineProperty(navigator, 'language', { value: 'en-US' }) }";
  return {
    style: read('uPlot.min.css'),
    script: `${language}\n${read('uPlot.iife.min.js').replaceAll('</script', '<\\/script')}`,
  };
}

/** Text in HTML, which shows what it holds and obeys none of it. */
export function plain(text: string): string {
  return printable(text).replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

/** A value as a literal inside of a script element. */
export function literal(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}
