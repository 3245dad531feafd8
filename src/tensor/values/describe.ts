const tagOf = /*#__PURE__*/ Object.getOwnPropertyDescriptor(
  /*#__PURE__*/ Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/** Which typed array something is (of any realm, or of a class derived from it), or undefined. */
export function arrayKind(value: unknown): string | undefined {
  return tagOf.call(value);
}

/** What a value is, for messages. */
export function describe(value: unknown): string {
  const kind = arrayKind(value);
  if (kind?.startsWith('Big')) return `a ${kind}; convert it with Array.from(values, Number)`;
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `the string '${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  if (typeof value === 'number' || typeof value === 'bigint') return `the ${typeof value} ${value}`;
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return 'a list';
  const name = `${value.constructor?.name || 'Object'}`;
  if (name === 'Promise') return 'a promise; await it';
  const what = article(name === 'Object' ? 'object' : name);
  return /ArrayBuffer$|^DataView$/.test(name) ? `${what}; say what it holds: new Float32Array(buffer)` : what;
}

/** In a list of numbers: what is none is described. */
export function shown(value: unknown): string {
  return typeof value === 'number' ? `${value}` : describe(value);
}

export function article(name: string): string {
  return `${/^[AEIOo]/.test(name) ? 'an' : 'a'} ${name}`;
}
