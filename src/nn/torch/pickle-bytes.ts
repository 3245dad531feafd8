/** Bytes of a pickle, one after the other, and why one is refused. */
import { CheckpointError } from '../safetensors/index.ts';

/** The cause of the error of a pickle that goes on behind the bytes that were given. */
export const cutOff: unique symbol = Symbol('cut off');

export function refusal(file: string, reason: string): CheckpointError {
  return new CheckpointError(
    file,
    `it is refused: ${reason}. Nothing of it was run. Weights alone are had in Python by torch.save(model.state_dict(), FILE), or as safetensors`,
  );
}

export class Cursor {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #file: string;
  readonly #text = new TextDecoder();

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at)
      throw new CheckpointError(this.#file, 'its pickle is cut off; get the file again', { cause: cutOff });
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  view(length: number): DataView {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** A length of 4 or 8 bytes. */
  size(width: 4 | 8): number {
    const view = this.view(width);
    return width === 4 ? view.getUint32(0, true) : Number(view.getBigUint64(0, true));
  }

  text(length: number): string {
    return this.#text.decode(this.take(length));
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.at);
    if (end < 0) throw new CheckpointError(this.#file, 'its pickle is cut off; get the file again', { cause: cutOff });
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }
}
