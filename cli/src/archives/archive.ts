/** A file in an archive. */
export interface ArchivedFile {
  readonly size: number;
  /** In milliseconds since 1970. */
  readonly mtime: number;
  /** All of it. @throws FileError when the archive is damaged, or the file is longer than `max`. */
  read(max: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A tar or zip archive as it lies on disk: an index in memory, and files that are read one by one, in any order. */
export interface Archive {
  readonly path: string;
  /** By their paths in the archive, with `/` between folders. */
  readonly files: ReadonlyMap<string, ArchivedFile>;
}
