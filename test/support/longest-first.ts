import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest on two cores with SwiftShader, longest first. */
const longest = [
  'web/train',
  'web/segment',
  'web/given-models',
  'web/explain',
  'package/bundles',
  'kernels/attention/attention',
  'cli/commands/experiment',
  'cli/commands/verify',
  'cli/mpi/training',
  'cli/commands/demo',
  'kernels/edge-values',
  'examples',
  'zeroseg/training/run',
  'kernels/matmul/tune',
  'kernels/matmul/matmul',
  'docs/commands',
  'cli/files/kills',
  'cli/commands/finetune',
  'judge/judge',
  'cli/commands/bench',
  'cli/commands/resume',
  'docs/programs',
  'cli/commands/train-teacher',
  'kernels/grids',
  'kernels/axis/sums',
  'cli/hostile-input',
  'cli/commands/words',
  'kernels/elementwise/unary-binary',
  'zeroseg/demo/demo',
  'zeroseg/fixtures',
  'tensor/graph/second-order',
  'zeroseg/studies/run-study',
  'kernels/row-ops/layer-norm',
  'kernels/spatial/conv2d',
  'zeroseg/training/trainer',
  'zeroseg/training/validation',
  'zeroseg/training/shared-training',
  'kernels/row-ops/softmax',
  'gpu/devices',
  'zeroseg/clip-training/train-clip',
  'zeroseg/open-vocabulary/open-vocabulary',
  'kernels/zeroseg/masking',
  'kernels/zeroseg/grouping',
  'cli/bench/workloads',
  'cli/commands/segment',
  'cli/gpu-model/every-kernel',
  'cli/gpu-model/library-kernels',
  'cli/commands/commands',
  'cli/weights/malicious-files',
  'cli/shell/interruption',
];

/** Starts the longest files first, so that no worker has one left when the others are done. The rest as usual: failed ones, then by time or size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.includes(`/test/${name}.`));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
