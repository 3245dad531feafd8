import type { FileSystem } from '../storage/index.ts';
import type { Metrics } from './metrics.ts';

const FOLDER = 'tensorboard';

/**
 * The metrics of a run as an event file for TensorBoard: `tensorboard --logdir RUN`. It follows from `metrics.jsonl`: one that goes on
 * is written anew, so that nothing is in it twice.
 *
 * ```ts
 * const events = await EventFile.begin(files, Date.parse(description.started) / 1000, metrics);
 * await events.add(line);
 * ```
 */
export class EventFile {
  readonly #files: FileSystem;
  readonly #path: string;
  /** Seconds since 1970, of the last step. */
  #time: number;

  private constructor(files: FileSystem, path: string, time: number) {
    this.#files = files;
    this.#path = path;
    this.#time = time;
  }

  /** `started`: seconds since 1970 when the run began; `metrics`: those that it already has. */
  static async begin(files: FileSystem, started: number, metrics: readonly Metrics[]): Promise<EventFile> {
    // TensorBoard knows event files by this part of their name, and sorts them by the number.
    const name = `events.out.tfevents.${Math.floor(started)}.zeroseg`;
    for (const other of await own(files)) await files.remove(`${FOLDER}/${other}`);
    const events = new EventFile(files, `${FOLDER}/${name}`, started);
    const first = record([...double(1, started), ...text(3, 'brain.Event:2')]);
    const all = [first, ...metrics.map((line) => events.#record(line))];
    await files.write(events.#path, joined(all));
    return events;
  }

  /** Whether a run has one. */
  static async isIn(files: FileSystem): Promise<boolean> {
    return (await own(files)).length > 0;
  }

  async add(line: Metrics): Promise<void> {
    await this.#files.append(this.#path, this.#record(line));
  }

  #record(line: Metrics): Uint8Array {
    this.#time += line.seconds;
    const values = Object.entries(scalars(line)).flatMap(([tag, value]) =>
      bytes(1, [...text(1, tag), ...float(2, value)]),
    );
    return record([...double(1, this.#time), ...varint(2, line.step), ...bytes(5, values)]);
  }
}

async function own(files: FileSystem): Promise<string[]> {
  return (await files.list(FOLDER)).filter((name) => name.includes('.tfevents.') && name.endsWith('.zeroseg'));
}

/** The numbers of a step by their tags; what is before `/` is a section of TensorBoard's page. */
export function scalars({
  loss,
  terms,
  gradNorm,
  lr,
  imagesPerSecond,
  grouping,
  probe,
}: Metrics): Record<string, number> {
  const named: Record<string, number | null | undefined> = { 'loss/total': loss };
  for (const [name, value] of Object.entries(terms)) named[`loss/${name}`] = value;
  Object.assign(named, { 'training/gradient norm': gradNorm, 'training/learning rate': lr });
  named['training/images per second'] = imagesPerSecond;
  if (grouping) Object.assign(named, { 'head/groups': grouping.groups, 'head/first groups': grouping.groupsFirst });
  for (const [name, value] of Object.entries(probe ?? {})) named[name.replace(/^validation /, 'validation/')] = value;
  return Object.fromEntries(Object.entries(named).filter((one): one is [string, number] => typeof one[1] === 'number'));
}

/** A record of TFRecord: its length, the length's checksum, the data, the data's checksum; little endian. */
function record(data: readonly number[]): Uint8Array {
  const whole = new Uint8Array(data.length + 16);
  const view = new DataView(whole.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(whole.subarray(0, 8)), true);
  whole.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(whole.subarray(12, 12 + data.length)), true);
  return whole;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, by bytes. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** As TFRecord stores it: a checksum of data that holds its own checksums would be weak. */
function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

// Fields of protocol buffers: number and kind of the field, then its value.

function varint(field: number, value: number): number[] {
  return [field << 3, ...base128(value)];
}

function double(field: number, value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return [(field << 3) | 1, ...new Uint8Array(view.buffer)];
}

function float(field: number, value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return [(field << 3) | 5, ...new Uint8Array(view.buffer)];
}

function bytes(field: number, value: readonly number[]): number[] {
  return [(field << 3) | 2, ...base128(value.length), ...value];
}

function text(field: number, value: string): number[] {
  return bytes(field, [...new TextEncoder().encode(value)]);
}

/** Seven bits a byte, the lowest first. */
function base128(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low | 128, ...base128(Math.floor(value / 128))];
}
