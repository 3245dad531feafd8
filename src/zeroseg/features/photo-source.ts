import { sha256 } from '../host/index.ts';
import { type Image, ImageError, PixelError } from '../image/index.ts';
import { FileError } from '../storage/index.ts';

/** What a photo file was when its features were computed. */
export interface PhotoStamp {
  /** The photo's name in its source, with `/` between folders. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Time of the last change, in whole milliseconds since 1970. */
  readonly mtime: number;
  /** {@link hashPhoto} of the file. */
  readonly hash: string;
}

/** A photo that is not read yet: a file of a folder, or a page's `File`. */
export interface PhotoFile {
  readonly path: string;
  /** Size in bytes, and time of the last change in milliseconds since 1970. */
  status(): Promise<{ readonly size: number; readonly mtime: number }>;
  /** The encoded file. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Photos to compute features of, on any platform. What cannot be read or decoded is told by a {@link FileError}, an {@link ImageError} or a
 * {@link PixelError}: it is noted, and the next photo is taken. Every other error ends the work.
 *
 * ```ts
 * // The files that a page's `<input type="file" multiple>` gives:
 * const source: PhotoSource = {
 *   decoder: 'canvas',
 *   photos: files.map((file) => ({
 *     path: file.webkitRelativePath || file.name,
 *     status: async () => ({ size: file.size, mtime: file.lastModified }),
 *     bytes: async () => new Uint8Array(await file.arrayBuffer()),
 *   })),
 *   decode: async (bytes) => decodeWithCanvas(bytes),
 * };
 * ```
 */
export interface PhotoSource {
  readonly photos: Iterable<PhotoFile> | AsyncIterable<PhotoFile>;
  /** Names what decodes the photos: decoders differ in the last bits of pixels, so the key of a cache holds it. */
  readonly decoder: string;
  /** 8-bit RGB, upright. */
  decode(bytes: Uint8Array<ArrayBuffer>, path: string): Promise<Image>;
}

/** 128 bits of SHA-256, in hexadecimal. */
export async function hashPhoto(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return (await sha256(bytes)).slice(0, 32);
}

/** Reads a photo and the stamp that goes with its features. */
export async function readStamped(photo: PhotoFile): Promise<{ stamp: PhotoStamp; bytes: Uint8Array<ArrayBuffer> }> {
  // Asked before reading: a file that changes meanwhile looks stale next time, not fresh.
  const { size, mtime } = await photo.status();
  const bytes = await photo.bytes();
  return { stamp: { path: photo.path, size, mtime: Math.floor(mtime), hash: await hashPhoto(bytes) }, bytes };
}

/** Why a photo cannot be used; undefined when the error is no matter of the photo. */
export function photoProblem(error: unknown): string | undefined {
  if (error instanceof FileError || error instanceof ImageError) return error.reason;
  return error instanceof PixelError ? error.message : undefined;
}
