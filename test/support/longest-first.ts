import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest on two cores with SwiftShader, longest first. */
const longest = [
  'web/train',
  'web/given-models',
  'cli/commands/verify',
  'zeroseg/fixtures',
  'cli/bench/workloads',
  'cli/commands/demo',
  'kernels/attention/attention',
  'cli/commands/train-teacher',
  'cli/commands/resume',
  'kernels/matmul/tune',
  'cli/commands/experiment',
  'docs/programs',
  'docs/commands',
  'kernels/grids',
  'zeroseg/wrong-fixtures',
  'kernels/matmul/matmul',
  'kernels/axis/sums',
  'kernels/zeroseg/grouping',
  'kernels/edge-values',
  'cli/commands/bench',
  'zeroseg/demo/demo',
  'cli/files/kills',
  'kernels/elementwise/unary-binary',
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
