/**
 * Fields as JSON that one can read: a line for each key, and of lists of objects or of lists one for each item, since a number a line could not
 * be read. What is undefined is left out.
 */
export function recordText(fields: object): string {
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const isLong = Array.isArray(value) && typeof value[0] === 'object';
      const text = isLong
        ? `[\n${value.map((one) => `    ${JSON.stringify(one)}`).join(',\n')}\n  ]`
        : JSON.stringify(value);
      return `  ${JSON.stringify(key)}: ${text}`;
    });
  return `{\n${lines.join(',\n')}\n}\n`;
}
