// Gathers the pages of the site in site/pages: the repository's documentation, a page for each example, ops and reference out of the
// sources, and the library as files that pages load.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { examplePages } from './example-pages.mjs';
import { homePage } from './home.mjs';
import { writeLibrary } from './library.mjs';
import { withNamesLinked, withSiteLinks } from './markdown.mjs';
import { readReference } from './reference.mjs';
import { addresses, referencePages, rooms } from './reference-pages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const pages = join(root, 'site/pages');

/** Pages whose `code` that is a name of the library becomes a link to its reference. */
const isAboutTheLibrary = (file) => /^docs\/(library|install|tour)\.md$|^docs\/guides\//.test(file);

/** Where each page of the repository lies in the site. */
function placesOfPages() {
  const inDocs = readdirSync(join(root, 'docs'), { recursive: true }).filter((file) => file.endsWith('.md'));
  return new Map([
    ...inDocs.map((file) => [`docs/${file}`, file]),
    ['CONTRIBUTING.md', 'contributing.md'],
    ['CHANGELOG.md', 'changelog.md'],
  ]);
}

function writePage(path, text) {
  const file = join(pages, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function writeDocumentation(addressOf) {
  const places = placesOfPages();
  for (const [file, place] of places) {
    const moved = withSiteLinks(readFileSync(join(root, file), 'utf8'), file, places);
    writePage(place, isAboutTheLibrary(file) ? withNamesLinked(moved, addressOf) : moved);
  }
  for (const file of readdirSync(join(root, 'docs'), { recursive: true })) {
    if (!/\.(png|jpg|svg)$/.test(file)) continue;
    // Once to be shown in pages, once for links to the picture itself.
    for (const folder of [pages, join(pages, 'public')]) cpSync(join(root, 'docs', file), join(folder, file));
  }
  for (const [path, text] of Object.entries(examplePages())) writePage(path, text);
  writePage('index.md', homePage);
}

/** Writes all pages anew. Gives what writes those again that were changed in `docs` or `examples`. */
export async function gather() {
  rmSync(pages, { recursive: true, force: true });
  const entries = readReference();
  const addressOf = addresses(entries);
  for (const [path, text] of Object.entries(referencePages(entries, addressOf))) writePage(path, text);
  writeDocumentation(addressOf);
  // What the sidebar lists.
  writePage(
    'rooms.json',
    JSON.stringify(rooms(entries).map(({ room, title, page, isOp }) => ({ room, title, page, isOp }))),
  );
  await writeLibrary(join(pages, 'public'));
  return () => writeDocumentation(addressOf);
}
