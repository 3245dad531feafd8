// Markdown of the repository as Markdown of the site: links lead to where a page lies here, and names to where they are explained.

const blob = 'https://github.com/zeroseg/core/blob/main/';

/** Applies `change` to text outside of blocks and spans of code. */
export function outsideOfCode(markdown, change) {
  // Fences, spans, and what is between them.
  return markdown
    .split(/(^ *```[\s\S]*?^ *```[^\n]*$|`[^`\n]+`)/m)
    .map((part, i) => (i % 2 === 0 ? change(part) : part))
    .join('');
}

/**
 * Leads links to where their target lies in the site, or to the repository where it is no page. `places` has the path of each page in the
 * site by its path in the repository.
 */
export function withSiteLinks(markdown, file, places) {
  const place = places.get(file);
  return outsideOfCode(markdown, (text) =>
    text.replace(/\]\(([^)\s]+)\)/g, (whole, address) => {
      if (/^([a-z]+:|#)/i.test(address)) return whole;
      const [path, anchor] = address.split('#');
      const target = new URL(path, `file:///${file}`).pathname.slice(1);
      const hash = anchor === undefined ? '' : `#${anchor}`;
      if (places.has(target)) return `](${between(place, places.get(target))}${hash})`;
      if (/\.(png|jpg|svg)$/.test(target) && target.startsWith('docs/')) return whole;
      return `](${blob}${target}${hash})`;
    }),
  );
}

/** The address of one page of the site from another. */
function between(from, to) {
  const up = from.split('/').length - 1;
  return `${up === 0 ? './' : '../'.repeat(up)}${to}`;
}

/** Makes links of spans of code that are, or call, an export: `softmax`, `softmax(x)`. Not in headings, nor where there is a link already. */
export function withNamesLinked(markdown, addressOf) {
  return markdown
    .split(/(^ *```[\s\S]*?^ *```[^\n]*$|^#.*$|\[[^\]\n]*\]\([^)\n]*\))/m)
    .map((part, i) => {
      if (i % 2 === 1) return part;
      return part.replace(/(?<!`)`([A-Za-z]\w*)(?:\([^`]*\))?`(?!`)/g, (span, name) => {
        const address = addressOf(name);
        return address ? `[${span}](${address})` : span;
      });
    })
    .join('');
}

/** A doc comment as Markdown: what the compiler of pages would take for tags is text, `{@link x}` a link, `@throws` a paragraph. */
export function commentMarkdown(comment, addressOf) {
  const words = outsideOfCode(comment, (text) =>
    text
      .replace(/\{@link (\w+)(?:\.\w+)?\}/g, (_, name) =>
        addressOf(name) ? `[\`${name}\`](${addressOf(name)})` : `\`${name}\``,
      )
      .replace(
        /(^|\s)@throws (?:\{?(\w+Error)\}? ?)?/g,
        (_, before, error) => `${before.trim() ? before : '\n\n'}**Throws** ${error ? `\`${error}\` ` : ''}`,
      )
      .replace(/(^|\s)@(param|returns) /g, '\n\n')
      .replaceAll('<', '&lt;')
      .replaceAll('{{', '{ {'),
  );
  return words.trim();
}
