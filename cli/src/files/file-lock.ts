let loaded: Promise<typeof import('fs-native-extensions') | undefined> | undefined;

function load(): typeof loaded {
  // A platform without a prebuilt binary has none.
  loaded ??= import('fs-native-extensions').catch(() => undefined);
  return loaded;
}

// Windows forbids others to read what is locked: there, a byte far beyond the end is locked, so that they can read who holds it.
const range: [] | [number, number] = process.platform === 'win32' ? [2 ** 30, 1] : [];

/**
 * Takes the operating system's own lock on an open file (Linux: `F_OFD_SETLK`; macOS: `flock`; Windows: `LockFileEx`). It
 * belongs to the file handle and ends with it, so a process that was killed holds none, whatever process has its number
 * now, and on a network disk the server knows the holders of all machines. False: somebody else holds it. Undefined: this
 * disk, or this platform, has no such locks.
 */
export async function tryLock(fd: number): Promise<boolean | undefined> {
  const native = await load();
  if (!native) return undefined;
  try {
    return native.tryLock(fd, ...range);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // What a file that is held elsewhere is told apart from EAGAIN by some systems.
    if (code === 'EACCES' || code === 'EBUSY') return false;
    if (['ENOLCK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL'].includes(code)) return undefined;
    throw error;
  }
}
