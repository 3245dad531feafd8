import { escapeHtml } from './escape.ts';

/** A page that holds all it needs: it loads no script, style or font. */
export interface HtmlPage {
  readonly title: string;
  /** Rules of its own, after those that all pages share. */
  readonly style: string;
  /** More elements of its head. */
  readonly head?: readonly string[];
  /** What is in `<main>`, as HTML. */
  readonly main: string;
  /** Each in an element of its own, after `<main>`. */
  readonly scripts?: readonly string[];
}

/** The page as text. */
export function htmlPage({ title, style, head = [], main, scripts = [] }: HtmlPage): string {
  return `<!doctype html>
<html lang="en">
<head>
${[
  '<meta charset="utf-8">',
  '<meta name="viewport" content="width=device-width, initial-scale=1">',
  ...head,
  `<title>${escapeHtml(title)}</title>`,
  `<style>${sharedStyle}${style}</style>`,
].join('\n')}
</head>
<body>
<main>
${main}
</main>
${scripts.map((script) => `<script>${script}</script>\n`).join('')}</body>
</html>
`;
}

/** Colours in light and in dark, letters, and what is on every page. */
const sharedStyle = `
:root { color-scheme: light dark; --ink: #16191d; --soft: #59606b; --faint: #8a9099; --line: #e3e6eb; --paper: #fff; --ground: #f5f6f8; --accent: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ebee; --soft: #a7adb8; --faint: #7c838e; --line: #2b3038; --paper: #191c21; --ground: #0f1114; --accent: #7aa5ff; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { margin: 0 auto; }
h1 { font-size: 26px; letter-spacing: -.01em; margin: 0; }
figure { margin: 0; } a { color: var(--accent); } summary { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.note { color: var(--ink); border-left: 3px solid var(--accent); padding-left: 10px; }
`;
