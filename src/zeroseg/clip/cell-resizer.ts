import { type Device, heard } from '../../gpu/index.ts';
import { sum } from '../../kernels/axis/index.ts';
import { resizeCells } from '../../kernels/zeroseg/index.ts';
import { free, type Tensor, tensor, variable } from '../../tensor/graph/index.ts';
import { read, type Step, step } from '../../tensor/run/index.ts';
import {
  type CellTaps,
  cellTaps,
  type Image,
  mostStudentWeights,
  mostWeights,
  packingShades,
  packSquare,
  type Region,
  type StudentTaps,
  shadesOf,
  unpackSquare,
} from '../image/index.ts';
import type { Teacher } from './image-encoder.ts';

/** How photos of a size are cut. */
export interface PhotoTaps {
  readonly cells: CellTaps;
  readonly student?: StudentTaps | undefined;
  /** What is around the square of the cells in the pixels that the GPU gets: nothing, unless the student's square is cut too. */
  readonly margin: number;
}

/** `count` views of a photo, from its view `first` on, which become those of the batch from `slot` on. */
export interface CutPart {
  readonly first: number;
  readonly count: number;
  readonly slot: number;
}

type CutInput = 'pixels' | 'columns' | 'weights' | 'part' | 'studentColumns' | 'studentWeights' | 'studentPart';
type CutStep = Step<CutInput, Tensor | undefined>;

/** The student's square on the GPU, `[1, 3, side, side]`, and its weights on the host. */
interface StudentSquare {
  readonly side: number;
  readonly pixels: Tensor;
  readonly weights: Uint32Array;
}

/** The step that cuts squares of up to `rows` rows into cells, and into the student's square where that is asked for. */
export class CellResizer {
  readonly #step: CutStep;
  readonly #pixels: Uint32Array;
  readonly #weights: Uint32Array;
  readonly #student: StudentSquare | undefined;
  /** Whose weights are laid out. */
  #taps: PhotoTaps | undefined;

  private constructor(run: CutStep, rows: number, weights: number, student: StudentSquare | undefined) {
    this.#step = run;
    this.#pixels = new Uint32Array(rows * rows);
    this.#weights = new Uint32Array(weights);
    this.#student = student;
  }

  static async make(
    device: Device,
    { size, pixels: { mean, std } }: Teacher,
    views: Tensor,
    cut: { readonly rows: number; readonly grids: readonly number[]; readonly student?: number | undefined },
  ): Promise<CellResizer> {
    const { rows, grids, student: side } = cut;
    const { columns, origins } = cellTaps(rows, grids, size);
    const weights = mostWeights(rows, grids, size);
    const shades = tensor(device, shadesOf(mean, std), [3, 256]);
    const cells = tensor(device, origins, [origins.length / 2, 2]);
    const u32 = (...shape: number[]) => ({ shape, dtype: 'u32' as const });
    const inputs = {
      pixels: u32(rows * rows),
      ...{ columns: u32(columns.length / 3, 3), weights: u32(weights), part: u32(4) },
    };
    if (side === undefined) {
      const body = (given: { readonly [K in keyof typeof inputs]: Tensor }) => {
        resizeCells(views, { ...given, origins: cells, shades });
        return undefined;
      };
      const run = await step(device, inputs, body, { name: 'cut views' });
      return new CellResizer(run as CutStep, rows, weights, undefined);
    }
    const student: StudentSquare = {
      side,
      pixels: variable(device, [1, 3, side, side]),
      weights: new Uint32Array(mostStudentWeights(rows, side)),
    };
    const packing = tensor(device, packingShades(), [3, 256]);
    const one = tensor(device, new Uint32Array([0, side]), [1, 2]);
    const more = {
      ...{ studentColumns: u32(2 * side, 3), studentWeights: u32(student.weights.length), studentPart: u32(4) },
    };
    try {
      const run = await step(
        device,
        { ...inputs, ...more },
        ({ studentColumns, studentWeights, studentPart, ...given }) => {
          resizeCells(views, { ...given, origins: cells, shades });
          resizeCells(student.pixels, {
            ...{ pixels: given.pixels, columns: studentColumns, weights: studentWeights, part: studentPart },
            ...{ origins: one, shades: packing },
          });
          return sum(student.pixels, { axes: 1 });
        },
        { name: 'cut views' },
      );
      return new CellResizer(run as CutStep, rows, weights, student);
    } catch (error) {
      free(student.pixels);
      throw error;
    }
  }

  /** Gives back the student's square, where the step makes one and the first view is among those of this part. */
  run(image: Image, region: Region, taps: PhotoTaps, { first, count, slot }: CutPart): Promise<Image> | undefined {
    const { cells, student: around, margin } = taps;
    const student = this.#student;
    if (this.#taps !== taps) {
      this.#weights.set(cells.weights);
      if (student && around) student.weights.set(around.weights);
      this.#taps = taps;
    }
    const side = region.width + 2 * margin;
    packSquare(image, { x: region.x - margin, y: region.y - margin, width: side, height: side }, this.#pixels);
    const packed = this.#step({
      ...{ pixels: this.#pixels, columns: cells.columns, weights: this.#weights, part: [side, first, count, slot] },
      ...(student &&
        around && {
          studentColumns: around.columns,
          studentWeights: student.weights,
          // Of a photo whose views are in several batches it is cut with the first.
          studentPart: [side, 0, first === 0 ? 1 : 0, 0],
        }),
    } as Parameters<CutStep>[0]);
    if (!packed || !student || first > 0) return undefined;
    return heard(read(packed).then((pixels) => unpackSquare(pixels as Float32Array, student.side)));
  }

  dispose(): void {
    this.#step.dispose();
    if (this.#student) free(this.#student.pixels);
  }
}
