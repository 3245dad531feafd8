import type { Lanes } from './counts.ts';

/** A number, and where it is from. */
export interface Figure {
  readonly value: number;
  readonly source: string;
}

/** Figures of a GPU. A unit is a multiprocessor, a core, an Xe-core, a shader core. */
export interface GpuFigures {
  /** Units. */
  readonly units: Figure;
  /** GHz under load. */
  readonly clock: Figure;
  /** Bytes a second of the memory, in 10⁹. */
  readonly bandwidth: Figure;
  /** Threads that run in lockstep. */
  readonly lanes: Figure;
  /** Multiply-adds of f32, operations of integers (conversions and comparisons too) and special functions that a unit does in a clock. */
  readonly multiplyAdds: Figure;
  /** Multiply-adds of f16: as many, or two of one lane in an instruction. */
  readonly halfMultiplyAdds: Figure;
  readonly integers: Figure;
  readonly specials: Figure;
  /** Instructions of warps that a unit starts in a clock. */
  readonly issues: Figure;
  readonly sector: Figure;
  readonly line: Figure;
  readonly banks: Figure;
  /** Lines of the cache beside the lanes, or turns of all banks, that a unit does in a clock. */
  readonly turns: Figure;
  /** Bytes that a unit gets in a clock from the cache that all units share, and how much that gives them together, in 10⁹ a second. */
  readonly sharedPerClock: Figure;
  readonly sharedBandwidth: Figure;
  /** Bytes of that cache. */
  readonly sharedCache: Figure;
  /** Clocks until a value is there, from the cache beside the lanes and from the one of all units. */
  readonly nearLatency: Figure;
  readonly farLatency: Figure;
  /** Of a unit: registers of 4 bytes, bytes of workgroup memory, threads, workgroups. */
  readonly registers: Figure;
  readonly workgroupBytes: Figure;
  readonly threads: Figure;
  readonly groups: Figure;
  /** Registers that a thread can have. */
  readonly mostRegisters: Figure;
}

export interface Gpu {
  readonly key: GpuName;
  readonly name: string;
  /** As adapters tell it, by which kernels choose their variants. */
  readonly vendor: 'nvidia' | 'apple' | 'intel' | 'arm';
  readonly figures: GpuFigures;
}

export type GpuName = 'h100' | 'rtx4090' | 'm3' | 'arc' | 'mali';

const figure = (value: number, source: string): Figure => ({ value, source });
const assumed = (value: number, why: string): Figure => ({ value, source: `assumed: ${why}` });

const cuda = 'CUDA C++ Programming Guide';
const hopper = 'NVIDIA H100 Tensor Core GPU Architecture, whitepaper';
const ada = 'NVIDIA Ada GPU Architecture, whitepaper';
const apple = 'github.com/philipturner/metal-benchmarks (M1)';
const intel = 'oneAPI-samples, GPU occupancy calculator, xe_hpg_dg2_arc';
const arm = 'Arm GPU datasheet, Immortalis-G715';
const valhall = 'Arm, The Valhall Shader Core';

/** What the multiprocessors of both NVIDIA GPUs have in common. */
const nvidia = {
  lanes: figure(32, `${cuda}, hardware implementation`),
  multiplyAdds: figure(128, `${cuda}, arithmetic throughput, 8.9 and 9.0`),
  integers: figure(64, `${cuda}, arithmetic throughput, 8.9 and 9.0`),
  specials: figure(16, `${cuda}, arithmetic throughput, 8.9 and 9.0`),
  issues: figure(4, `${cuda}, 8.x and 9.0: four schedulers, an instruction a clock each`),
  sector: figure(32, `${cuda}, device memory accesses: transactions of 32 bytes`),
  line: figure(128, `${cuda}, global memory: cache lines of 128 bytes`),
  banks: figure(32, `${cuda}, shared memory: 32 banks of 32 bits`),
  turns: figure(1, `${cuda}, shared memory: 32 bits a bank and clock; L1 is the same memory`),
  sharedPerClock: assumed(64, 'as Jia et al., 2018, found for Volta'),
  registers: figure(65536, `${cuda}, technical specifications`),
  mostRegisters: figure(255, `${cuda}, technical specifications`),
};

/** Peak rates are published or follow from published numbers; what makers do not tell is measured by others, or assumed. */
export const gpus: Readonly<Record<GpuName, Gpu>> = {
  h100: {
    key: 'h100',
    name: 'NVIDIA H100 SXM',
    vendor: 'nvidia',
    figures: {
      ...nvidia,
      units: figure(132, hopper),
      halfMultiplyAdds: figure(
        256,
        `${hopper}: of the SXM5, 133.8 TFLOPS of f16 without tensor cores beside 66.9 of f32`,
      ),
      clock: figure(1.98, `${hopper}: 66.9 TFLOPS of f32 over 132 × 128 × 2`),
      bandwidth: figure(3352, `${hopper}: HBM3, 3.35 TB/s`),
      sharedBandwidth: assumed(5500, 'Chips and Cheese, 2023, measured some 5.5 TB/s (PCIe)'),
      sharedCache: figure(50e6, hopper),
      nearLatency: assumed(40, 'microbenchmarks of Hopper give 30 to 45'),
      farLatency: assumed(260, 'microbenchmarks of Hopper give 200 to 280'),
      workgroupBytes: figure(228 * 1024, `${cuda}, technical specifications, 9.0`),
      threads: figure(2048, `${cuda}, technical specifications, 9.0`),
      groups: figure(32, `${cuda}, technical specifications, 9.0`),
    },
  },
  rtx4090: {
    key: 'rtx4090',
    name: 'NVIDIA RTX 4090',
    vendor: 'nvidia',
    figures: {
      ...nvidia,
      units: figure(128, ada),
      halfMultiplyAdds: figure(128, `${ada}: of the RTX 4090, 82.6 TFLOPS of f16 without tensor cores as of f32`),
      clock: figure(2.52, `${ada}: boost clock`),
      bandwidth: figure(1008, ada),
      sharedBandwidth: assumed(5000, 'Chips and Cheese, 2022, measured some 5 TB/s'),
      sharedCache: figure(72e6, ada),
      nearLatency: assumed(40, 'as of Hopper'),
      farLatency: assumed(270, 'microbenchmarks of Ada give 250 to 300'),
      workgroupBytes: figure(100 * 1024, `${cuda}, technical specifications, 8.9`),
      threads: figure(1536, `${cuda}, technical specifications, 8.9`),
      groups: figure(24, `${cuda}, technical specifications, 8.9`),
    },
  },
  m3: {
    key: 'm3',
    name: 'Apple M3, 10 cores',
    vendor: 'apple',
    figures: {
      units: figure(10, 'Apple, newsroom, October 2023'),
      clock: assumed(1.4, 'not published; measured by users, 1.38 to 1.4'),
      bandwidth: figure(100, 'Apple, newsroom, October 2023'),
      lanes: figure(32, 'Metal: threadExecutionWidth'),
      multiplyAdds: figure(128, apple),
      halfMultiplyAdds: figure(128, `${apple}: F16 is neither faster nor slower than F32`),
      integers: figure(128, `${apple}: the same pipelines as f32`),
      specials: assumed(32, 'a quarter of the rate of f32'),
      issues: assumed(4, 'one for each pipeline of 32'),
      sector: assumed(32, 'as of NVIDIA'),
      line: assumed(128, 'as the lines of Apple CPUs'),
      banks: assumed(32, 'not published; strides of 32 words are known to be slow'),
      turns: assumed(0.5, '64 bytes a clock and core'),
      sharedPerClock: assumed(64, 'as of NVIDIA'),
      sharedBandwidth: assumed(500, 'five times the memory'),
      sharedCache: assumed(8e6, 'the system level cache'),
      nearLatency: assumed(60, 'as of M1, by users'),
      farLatency: assumed(200, 'as of M1, by users'),
      registers: figure(98304, `${apple}: 384 KB`),
      workgroupBytes: figure(64 * 1024, apple),
      threads: figure(3072, apple),
      groups: assumed(32, 'as of NVIDIA'),
      mostRegisters: assumed(128, '256 halves in the instruction set'),
    },
  },
  arc: {
    key: 'arc',
    name: 'Intel Arc A770',
    vendor: 'intel',
    figures: {
      units: figure(32, 'Intel ARK'),
      clock: figure(2.1, 'Intel ARK: graphics clock'),
      bandwidth: figure(560, 'Intel ARK'),
      lanes: figure(16, `${intel}: subgroups of 8, 16 or 32`),
      multiplyAdds: figure(128, 'Intel Xe-HPG: 16 vector engines of 8'),
      halfMultiplyAdds: figure(
        256,
        'Intel, Introduction to the Xe-HPG Architecture: a vector engine does 16 operations of f32 or 32 of f16 in a clock',
      ),
      integers: assumed(128, 'a pipeline of their own, as wide'),
      specials: assumed(32, 'a quarter of the rate of f32'),
      issues: figure(8, 'Intel Xe-HPG: 16 vector engines; an instruction of 16 lanes takes two clocks'),
      sector: assumed(64, 'a line'),
      line: figure(64, 'Intel Xe-HPG: lines of 64 bytes'),
      banks: assumed(32, 'not published; strides of 256 bytes are known to be slow'),
      turns: assumed(1, '128 bytes a clock from workgroup memory'),
      sharedPerClock: assumed(64, 'a line'),
      sharedBandwidth: assumed(1900, 'Chips and Cheese, 2022, measured some 2 TB/s'),
      sharedCache: figure(16e6, 'Intel Xe-HPG: 16 MB of L2'),
      nearLatency: assumed(100, 'a guess'),
      farLatency: assumed(300, 'a guess'),
      registers: figure(131072, `${intel}: 128 threads of 4 KB`),
      workgroupBytes: figure(128 * 1024, intel),
      threads: figure(2048, `${intel}: 128 of 16 lanes`),
      groups: figure(128, intel),
      mostRegisters: figure(64, `${intel}: 4 KB over 16 lanes`),
    },
  },
  mali: {
    key: 'mali',
    name: 'Arm Immortalis-G715, 11 cores',
    vendor: 'arm',
    figures: {
      units: figure(11, 'MediaTek Dimensity 9200'),
      clock: assumed(0.98, 'as users report of the Dimensity 9200'),
      bandwidth: figure(68.3, 'LPDDR5X at 8533 MT/s, 64 bits'),
      lanes: figure(16, arm),
      multiplyAdds: figure(128, arm),
      halfMultiplyAdds: figure(
        256,
        `${valhall}: a unit of 16 lanes does 32 operations of f16 in a clock, packed in twos`,
      ),
      integers: assumed(64, 'half the rate of f32'),
      specials: figure(16, `${valhall}: 4 beside 16 lanes of f32, of which the G715 has twice as many`),
      issues: assumed(8, 'two engines of four'),
      sector: assumed(64, 'a line'),
      line: figure(64, 'Arm: cache lines of 64 bytes'),
      banks: figure(0, 'Arm Mali GPU Best Practices: workgroup memory is cached memory'),
      turns: assumed(1, 'a line a clock'),
      sharedPerClock: assumed(32, 'half a line'),
      sharedBandwidth: assumed(300, '32 bytes a clock and core'),
      sharedCache: assumed(2e6, 'chosen by who builds the chip'),
      nearLatency: assumed(40, 'a guess'),
      farLatency: assumed(200, 'a guess'),
      registers: figure(65536, `${arm}: 1024 threads of 64`),
      workgroupBytes: assumed(32 * 1024, 'the usual limit'),
      threads: figure(2048, `${arm}: with up to 32 registers each`),
      groups: assumed(32, 'as of NVIDIA'),
      mostRegisters: figure(64, arm),
    },
  },
};

export const gpuNames: readonly GpuName[] = Object.keys(gpus) as GpuName[];

/** Just the numbers. */
export function valuesOf({ figures }: Gpu): { readonly [K in keyof GpuFigures]: number } {
  const entries = Object.entries(figures) as [keyof GpuFigures, Figure][];
  return Object.fromEntries(entries.map(([name, { value }]) => [name, value])) as Record<keyof GpuFigures, number>;
}

export function lanesOf(gpu: Gpu): Lanes {
  const { lanes, sector, line, banks } = valuesOf(gpu);
  return { lanes, sector, line, banks };
}
