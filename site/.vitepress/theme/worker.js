// Runs one program in a worker of its own, so that the page stays quick and a program can be stopped. What it logs goes to the page.

const post = (kind, text) => postMessage({ kind, text });

for (const level of ['log', 'info', 'warn', 'error']) {
  console[level] = (...values) => post(level, values.map((value) => format(value)).join(' '));
}

/** As Node prints it, roughly: texts as they are, and inside of lists in quotes. */
function format(value, depth = 0) {
  if (typeof value === 'string') return depth === 0 ? value : `'${value}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error) return value.stack ?? String(value);
  if (depth > 3) return '…';
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const shown = Array.from({ length: Math.min(value.length, 100) }, (_, i) => format(value[i], depth + 1));
    const rest = value.length > 100 ? [`… ${value.length - 100} more`] : [];
    return `${Array.isArray(value) ? '' : `${value.constructor.name}(${value.length}) `}[${[...shown, ...rest].join(', ')}]`;
  }
  if (value instanceof Map)
    return `Map(${value.size}) {${[...value].map(([k, v]) => `${format(k, 1)} => ${format(v, depth + 1)}`).join(', ')}}`;
  const name = value.constructor?.name;
  if (name && name !== 'Object') return `${name} { … }`;
  return `{ ${Object.entries(value)
    .map(([k, v]) => `${k}: ${format(v, depth + 1)}`)
    .join(', ')} }`;
}

addEventListener('message', async ({ data: { program, library } }) => {
  // The imports of a program name packages; here they are files of this site.
  const at = {
    '@zeroseg/core': 'core.js',
    '@zeroseg/core/nn': 'nn.js',
    '@zeroseg/core/zeroseg': 'zeroseg.js',
    '@zeroseg/pretrained': 'pretrained/index.js',
  };
  const placed = program.replace(/\bfrom\s*(['"])(@zeroseg\/[\w/]+)\1/g, (whole, quote, name) =>
    at[name] ? `from ${quote}${library}${at[name]}${quote}` : whole,
  );
  const url = URL.createObjectURL(new Blob([placed], { type: 'text/javascript' }));
  try {
    await import(/* @vite-ignore */ url);
    post('done', '');
  } catch (error) {
    post('failed', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  }
});
