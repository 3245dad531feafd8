import type { Buffers } from './buffers.ts';
import type { GPUBuffer } from './webgpu.ts';

/** A pooled buffer and how many steps use it. */
export interface Slot {
  readonly buffer: GPUBuffer;
  users: number;
}

/** How many bytes of unused slots the pool keeps for the next step. */
const KEEP_BYTES = 64 * 1024 * 1024;

/**
 * The buffers in which steps keep their intermediates. Steps share them: a device has one queue, so a step's intermediates
 * are dead when the next step starts. Only what a step returns has a buffer of its own.
 */
export class SlotPool {
  readonly #buffers: Buffers;
  readonly #slots: Slot[] = [];

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
  }

  /** A slot for each size, all different. */
  acquire(sizes: readonly number[], label: string): Slot[] {
    const taken = new Set<Slot>();
    const result: Slot[] = new Array(sizes.length);
    const order = sizes.map((_, i) => i).sort((a, b) => (sizes[b] as number) - (sizes[a] as number));
    try {
      for (const i of order) {
        const size = sizes[i] as number;
        let best: Slot | undefined;
        for (const slot of this.#slots) {
          if (taken.has(slot) || slot.buffer.size < size || (best && slot.buffer.size >= best.buffer.size)) continue;
          if (this.#buffers.refused(slot.buffer)) continue;
          best = slot;
        }
        // A slot far too large would keep its bytes from a step that needs them.
        if (!best || best.buffer.size > 2 * size + 65536) {
          best = { buffer: this.#buffers.make(size, label), users: 0 };
          this.#slots.push(best);
        }
        taken.add(best);
        best.users++;
        result[i] = best;
      }
    } catch (error) {
      this.release([...taken]);
      throw error;
    }
    return result;
  }

  release(slots: readonly Slot[]): void {
    for (const slot of slots) slot.users--;
    // A slot for which there was no memory must not be given to anybody else.
    for (const slot of [...this.#slots]) if (slot.users === 0 && this.#buffers.refused(slot.buffer)) this.#drop(slot);
    let unused = this.#slots.reduce((sum, slot) => sum + (slot.users === 0 ? slot.buffer.size : 0), 0);
    for (const slot of this.#slots.toReversed()) {
      if (unused <= KEEP_BYTES) break;
      if (slot.users > 0) continue;
      unused -= slot.buffer.size;
      this.#drop(slot);
    }
  }

  #drop(slot: Slot): void {
    this.#slots.splice(this.#slots.indexOf(slot), 1);
    this.#buffers.destroy(slot.buffer);
  }
}
