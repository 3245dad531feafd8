import { zipSync } from 'fflate';

/** A ZIP archive: stored as it is, or compressed. */
export function zip(
  files: Readonly<Record<string, Uint8Array>>,
  { compress = false }: { readonly compress?: boolean } = {},
): Uint8Array {
  return zipSync({ ...files }, { level: compress ? 6 : 0 });
}
