// The only call that is used of this package, which comes without types.
declare module 'fs-native-extensions' {
  export function tryLock(fd: number, offset?: number, length?: number): boolean;
}
