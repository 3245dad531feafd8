import { DeviceError, KernelError } from './errors.ts';
import type { Faults } from './faults.ts';
import { type Kernel, source } from './kernel.ts';
import type { GPUBindGroupLayout, GPUComputePipeline, GPUDevice } from './webgpu.ts';

export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

const COMPUTE_STAGE = 4;

/** Compiles the kernels of a device, each variant of them once. What failed is not kept: it may go well the next time. */
export class Compiler {
  readonly #gpu: GPUDevice;
  readonly #adapter: string;
  readonly #faults: Faults;
  /** A promise while it is compiled. */
  readonly #compiled = new Map<Kernel, Map<string, CompiledKernel | Promise<CompiledKernel>>>();

  /** `adapter`: its name, for messages. */
  constructor(gpu: GPUDevice, adapter: string, faults: Faults) {
    this.#gpu = gpu;
    this.#adapter = adapter;
    this.#faults = faults;
  }

  /** A kernel that was compiled before for this element type and these constants. */
  compiled(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): CompiledKernel | undefined {
    const known = this.#compiled.get(kernel)?.get(variantOf(element, constants));
    return known instanceof Promise ? undefined : known;
  }

  /** Compiles a kernel, once per element type and set of constants. Fails with the compiler's words and the line. */
  async compile(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): Promise<CompiledKernel> {
    let variants = this.#compiled.get(kernel);
    if (!variants) this.#compiled.set(kernel, (variants = new Map()));
    const key = variantOf(element, constants);
    const known = variants.get(key);
    if (known) return known;
    const compiling = this.#compile(kernel, element, constants);
    variants.set(key, compiling);
    try {
      const compiled = await compiling;
      variants.set(key, compiled);
      return compiled;
    } catch (error) {
      variants.delete(key);
      throw error;
    }
  }

  async #compile(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): Promise<CompiledKernel> {
    this.#faults.alive();
    if (element === 'f16' && !this.#gpu.features.has('shader-f16')) {
      throw new DeviceError(`${kernel.name}: '${this.#adapter}' has no f16 arithmetic (shader-f16); use f32`);
    }
    if (typeof kernel.wgsl !== 'string' && !kernel.code) kernel.code = await kernel.wgsl();
    const code = source(kernel, element);
    const { value: module, refusal } = this.#faults.scoped(() =>
      this.#gpu.createShaderModule({ code, label: kernel.name }),
    );
    const [info, error] = await Promise.all([
      module.getCompilationInfo().catch((cause) => this.#faults.whyGone(`compiling ${kernel.name} failed`, cause)),
      refusal,
    ]);
    this.#faults.alive();
    const messages = info.messages.filter((message) => message.type === 'error');
    if (messages.length > 0 || error) {
      const lines = code.split('\n');
      const words = messages
        .map((m) => `  line ${m.lineNum}: ${m.message}\n    ${(lines[m.lineNum - 1] ?? '').trim()}`)
        .join('\n');
      throw new KernelError(kernel.name, `kernel ${kernel.name} does not compile:\n${words || error?.message}`, code);
    }
    const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map(({ access }, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
    }));
    if (kernel.paramNames.length > 0) {
      entries.push({ binding: kernel.names.length, visibility: COMPUTE_STAGE, buffer: { type: 'uniform' } });
    }
    const { value: made, refusal: refused } = this.#faults.scoped(() => {
      const layout = this.#gpu.createBindGroupLayout({ entries, label: kernel.name });
      const pipeline = this.#gpu.createComputePipelineAsync({
        label: kernel.name,
        layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main', constants },
      });
      return { layout, pipeline };
    });
    const [pipeline, refusedLayout] = await Promise.all([
      made.pipeline.catch((cause: unknown) => ({ cause })),
      refused,
    ]);
    this.#faults.alive();
    if ('cause' in pipeline || refusedLayout) {
      const cause = 'cause' in pipeline ? pipeline.cause : refusedLayout;
      const words = refusedLayout?.message ?? (cause instanceof Error ? cause.message : String(cause));
      throw new KernelError(kernel.name, `kernel ${kernel.name} makes no pipeline: ${words}`, code);
    }
    return { pipeline, layout: made.layout };
  }
}

function variantOf(element: 'f32' | 'f16', constants: Readonly<Record<string, number>>): string {
  return `${element} ${JSON.stringify(constants)}`;
}
