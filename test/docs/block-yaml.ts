/** YAML as the documentation has it: maps, lists, plain and quoted scalars, and what is in brackets on one line. */
export type Yaml = string | number | readonly Yaml[] | { readonly [key: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
}

/** @throws Error that names the line which is none of these. */
export function parseYaml(text: string): Yaml {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ indent: line.length - line.trimStart().length, text: line.trim() }));
  const { value, rest } = block(lines);
  if (rest.length > 0) throw new Error(`yaml: '${rest[0]?.text}' stands too far left`);
  return value;
}

function block([first, ...more]: readonly Line[]): { value: Yaml; rest: readonly Line[] } {
  if (!first) throw new Error('yaml: a key has no value');
  if (first.text.startsWith('- ')) {
    const items: Yaml[] = [];
    let rest: readonly Line[] = [first, ...more];
    for (let [line] = rest; line?.indent === first.indent && line.text.startsWith('- '); [line] = rest) {
      // What follows the dash is a block of its own, two columns further in.
      const inner = { indent: line.indent + 2, text: line.text.slice(2) };
      const isScalar = !/^[\w.]+:( |$)/.test(inner.text);
      const found = isScalar ? { value: flow(inner.text), rest: rest.slice(1) } : block([inner, ...rest.slice(1)]);
      items.push(found.value);
      rest = found.rest;
    }
    return { value: items, rest };
  }
  const map: Record<string, Yaml> = {};
  let rest: readonly Line[] = [first, ...more];
  for (let [line] = rest; line?.indent === first.indent; [line] = rest) {
    const [, key, own] = /^([\w./]+):(?: (.+))?$/.exec(line.text) ?? [];
    if (key === undefined || key in map) throw new Error(`yaml: '${line.text}' is no key, or is there twice`);
    if (own !== undefined) {
      map[key] = flow(own);
      rest = rest.slice(1);
      continue;
    }
    if ((rest[1]?.indent ?? 0) <= line.indent) throw new Error(`yaml: '${key}' has no value`);
    const found = block(rest.slice(1));
    map[key] = found.value;
    rest = found.rest;
  }
  if (rest[0] && rest[0].indent > first.indent) throw new Error(`yaml: '${rest[0].text}' stands too far right`);
  return { value: map, rest };
}

/** A scalar, or a list or a map of scalars in brackets. */
function flow(text: string): Yaml {
  const inside = /^([[{])(.*)[\]}]$/.exec(text);
  if (!inside) return scalar(text);
  const parts = (inside[2] as string).split(',').map((part) => part.trim());
  if (inside[1] === '[') return parts.map(scalar);
  return Object.fromEntries(
    parts.map((part) => {
      const [key = '', value = ''] = part.split(': ');
      return [key, scalar(value)] as const;
    }),
  );
}

function scalar(text: string): string | number {
  const quoted = /^'(.*)'$/.exec(text);
  if (quoted) return quoted[1] as string;
  return /^\d+$/.test(text) ? Number(text) : text;
}
