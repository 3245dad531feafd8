/** The project's Markdown: its pages, and what in them can be checked. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import GithubSlugger from 'github-slugger';
import { lexer, type Token, type Tokens, walkTokens } from 'marked';

export const repository: string = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block of code. */
export interface Block {
  readonly page: string;
  /** The first word after the fence: `ts`, `js`, `sh`, … */
  readonly language: string;
  readonly text: string;
}

export interface Page {
  /** Its path in the repository. */
  readonly path: string;
  readonly blocks: readonly Block[];
  /** Where links and pictures lead, as they are written. */
  readonly links: readonly string[];
  /** What `#…` may follow its path. */
  readonly anchors: ReadonlySet<string>;
}

/** Every Markdown file that belongs to the repository, those that are not committed yet too. */
export const pages: readonly Page[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'],
  { cwd: repository, encoding: 'utf8' },
)
  .trim()
  .split('\n')
  .map(readPage);

function readPage(path: string): Page {
  const slugger = new GithubSlugger();
  const blocks: Block[] = [];
  const links: string[] = [];
  const anchors = new Set<string>();
  const tokens = lexer(readFileSync(join(repository, path), 'utf8'));
  walkTokens(tokens, (token) => {
    if (token.type === 'heading') anchors.add(slugger.slug(plainText(token)));
    if (token.type === 'link' || token.type === 'image') links.push((token as Tokens.Link).href);
    if (token.type === 'html') {
      for (const [, address = ''] of token.raw.matchAll(/\b(?:href|src|srcset)="([^"]*)"/g)) links.push(address);
      for (const [, name = ''] of token.raw.matchAll(/\b(?:id|name)="([^"]*)"/g)) anchors.add(name);
    }
    if (token.type === 'code' && token.codeBlockStyle !== 'indented') {
      const { lang = '', text } = token as Tokens.Code;
      blocks.push({ page: path, language: lang.split(' ')[0] as string, text });
    }
  });
  return { path, blocks, links, anchors };
}

/** The words of a heading without their marks. */
function plainText(token: Token): string {
  const parts = 'tokens' in token ? token.tokens : undefined;
  return parts ? parts.map(plainText).join('') : 'text' in token ? token.text : '';
}

/** The blocks of all pages in some languages. */
export function blocksIn(...languages: readonly string[]): readonly Block[] {
  return pages.flatMap(({ blocks }) => blocks.filter(({ language }) => languages.includes(language)));
}
