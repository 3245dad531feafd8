// What is used of this package. It is optional: types are checked without it too.
declare module 'koffi' {
  /** A C function; pointers are typed arrays (their memory, not a copy), addresses, or null. */
  export type CFunction = (...args: unknown[]) => number;
  export interface Library {
    func(definition: string): CFunction;
    /** The address of a global variable. */
    symbol(name: string, type: string): unknown;
  }
  const koffi: { load(path: string, options?: { lazy?: boolean; global?: boolean }): Library };
  export default koffi;
}
