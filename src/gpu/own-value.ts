/**
 * What a table holds under a name that comes from elsewhere: an argument, a file. `constructor`, `toString`, `__proto__` and the
 * others that every object has are names like any other here: they stand for nothing unless the table itself has them.
 *
 * ```ts
 * ownValue({ tiny: 1 }, 'tiny'); // 1
 * ownValue({ tiny: 1 }, 'constructor'); // undefined
 * ```
 */
export function ownValue<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
