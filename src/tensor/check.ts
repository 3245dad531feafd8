import { KernelError } from '../gpu/errors.ts';
import { source } from '../gpu/kernel.ts';
import { bytesPerElement } from './dtype.ts';
import { NotFiniteError } from './errors.ts';
import { type Program, writes } from './program.ts';
import type { Launch } from './record.ts';
import { formatShape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/**
 * Before a call in check mode, before its inputs come: fills all slots with NaN (of f32 and of f16), so that an element that a
 * kernel forgets to write shows.
 */
export function fillWithNaN({ device, slotBuffers }: Program): void {
  for (const buffer of slotBuffers) {
    device.gpu.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(0x7fff7fff));
  }
}

/** Runs a program launch by launch, each inside error scopes, and stops at the first result that is not finite. */
export async function runChecked(name: string, program: Program): Promise<void> {
  const { device } = program;
  const { gpu } = device;
  for (const { launch, pipeline, group } of program.bound) {
    gpu.pushErrorScope('validation');
    const encoder = gpu.createCommandEncoder({ label: launch.label });
    const pass = encoder.beginComputePass({ label: launch.label });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...launch.grid);
    pass.end();
    const written = launch.tensors.filter((t, i) => t.dtype !== 'u32' && t.size > 0 && writes(launch, i));
    const reading = device.readBack(
      encoder,
      written.map((t) => ({ ...program.memoryOf(t.storage), bytes: t.size * bytesPerElement(t.dtype) })),
    );
    const error = await gpu.popErrorScope();
    if (error) {
      throw new KernelError(
        launch.kernel.name,
        `${name}: ${launch.label}: ${error.message}`,
        source(launch.kernel, launch.element),
      );
    }
    const values = await reading;
    written.forEach((t, n) => {
      const bytes = values[n] as ArrayBuffer;
      if (t.dtype === 'f16') {
        // All bits of the exponent set: infinite or not a number.
        const bits = new Uint16Array(bytes);
        const bad = bits.findIndex((half) => (half & 0x7c00) === 0x7c00);
        if (bad >= 0)
          throw notFinite(name, launch, t, bad, (bits[bad] as number) & 0x3ff ? Number.NaN : Number.POSITIVE_INFINITY);
      } else {
        const floats = new Float32Array(bytes);
        const bad = floats.findIndex((value) => !Number.isFinite(value));
        if (bad >= 0) throw notFinite(name, launch, t, bad, floats[bad] as number);
      }
    });
  }
}

function notFinite(name: string, launch: Launch, t: Tensor, at: number, value: number): NotFiniteError {
  const binding = launch.kernel.names[launch.tensors.indexOf(t)];
  const inputs = launch.tensors.filter((other) => other !== t).map((other) => formatShape(other.shape));
  const line = lineOfBody(launch.where);
  return new NotFiniteError(
    `${name}: ${launch.label} wrote ${value} to '${binding}' ${formatShape(t.shape)} at ${at} (other tensors: ` +
      `${inputs.join(', ') || 'none'})${line ? `, recorded ${line}` : ''}`,
    launch.label,
  );
}

/** The first line of the stack that lies outside of the library's tensor and kernel floors. */
function lineOfBody(stack: string | undefined): string | undefined {
  const lines = (stack ?? '').split('\n').slice(1);
  return lines.find((line) => !/[\\/](src|dist)[\\/](tensor|kernels)[\\/]/.test(line))?.trim();
}
