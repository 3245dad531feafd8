// Runs one program in a worker of its own, so that the page stays quick and a program can be stopped. What it logs goes to the page.

const post = (kind, text) => postMessage({ kind, text });

/** The library that the program imports, and all that was logged so far: a tensor's values come later, and lines keep their order. */
let [core, logged] = [undefined, Promise.resolve()];

for (const level of ['log', 'info', 'warn', 'error']) {
  console[level] = (...values) => {
    const words = values.map(shown);
    logged = logged.then(async () => post(level, (await Promise.all(words)).join(' ')));
  };
}

/** A tensor as Node prints it, and where Node can only tell how to have its values, with them. */
function shown(value) {
  if (!(value instanceof core.Tensor)) return format(value);
  const words = value[Symbol.for('nodejs.util.inspect.custom')](0);
  return words.includes('await toText(x)') ? core.toText(value).catch(() => words) : words;
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
  if (value.toString !== Object.prototype.toString) return String(value); // tensors
  const name = value.constructor?.name;
  if (name && name !== 'Object') return `${name} { … }`;
  return `{ ${Object.entries(value)
    .map(([k, v]) => `${k}: ${format(v, depth + 1)}`)
    .join(', ')} }`;
}

/** What was thrown, and the line of the program that led to it. */
function failure(error, program, url) {
  if (!(error instanceof Error)) return String(error);
  const words = `${error.name}: ${error.message}`;
  const at = error.stack?.split(`${url}:`)[1];
  if (!at) return words;
  const line = Number.parseInt(at, 10);
  return `${words}\nline ${line}: ${program.split('\n')[line - 1]?.trim() ?? ''}`;
}

addEventListener('message', async ({ data: { program, library } }) => {
  // The imports of a program name packages; here they are files of this site.
  const at = {
    '@zeroseg/core': 'core.js',
    '@zeroseg/core/distributed': 'distributed.js',
    '@zeroseg/core/nn': 'nn.js',
    '@zeroseg/core/zeroseg': 'zeroseg.js',
    '@zeroseg/pretrained': 'pretrained/index.js',
  };
  const placed = program.replace(/\bfrom\s*(['"])(@zeroseg\/[\w/]+)\1/g, (whole, quote, name) =>
    at[name] ? `from ${quote}${library}${at[name]}${quote}` : whole,
  );
  const url = URL.createObjectURL(new Blob([placed], { type: 'text/javascript' }));
  const fail = (error) => logged.then(() => post('failed', failure(error, program, url)));
  addEventListener('unhandledrejection', ({ reason }) => fail(reason));
  try {
    core = await import(/* @vite-ignore */ `${library}core.js`);
    await import(/* @vite-ignore */ `${library}inspect.js`);
    await import(/* @vite-ignore */ url);
    await logged;
    post('done', '');
  } catch (error) {
    fail(error);
  }
});
