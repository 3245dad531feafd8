/**
 * The first item that was there before, compared as a `Set` does; undefined where all differ.
 *
 * ```ts
 * firstRepeated(['cat', 'dog', 'cat']); // 'cat'
 * ```
 */
export function firstRepeated<T>(items: readonly T[]): T | undefined {
  const seen = new Set<T>();
  return items.find((item) => seen.size === seen.add(item).size);
}
