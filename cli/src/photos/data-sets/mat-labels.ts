import type { LabelMap } from '@zeroseg/core/zeroseg';
import type { FileTree } from '../../archives/index.ts';
import { type FindLabels, list, type Renumber } from './labelled-photos.ts';
import { MatError, type MatValue, readMat } from './mat-file.ts';

/** Label maps in MATLAB files, `folder/ID.mat`: a variable, and the fields on the way to the numbers. */
export async function matLabels(
  files: FileTree,
  folder: string,
  path: readonly [variable: string, ...fields: string[]],
  renumber: Renumber,
): Promise<FindLabels> {
  const names = new Set(await list(files, folder));
  return (id) => {
    const file = `${folder}/${id}.mat`;
    if (!names.has(`${id}.mat`)) return undefined;
    return {
      place: files.place(file),
      async read() {
        const labels = labelsOfMat(await files.read(file), path);
        return { ...labels, data: renumber(labels.data) };
      },
    };
  };
}

/** The label map of a MATLAB file. @throws MatError where there is none. */
export function labelsOfMat(
  bytes: Uint8Array,
  [variable, ...fields]: readonly [variable: string, ...fields: string[]],
): LabelMap {
  const variables = readMat(bytes);
  let value: MatValue | undefined = variables.get(variable);
  for (const field of fields) value = value?.kind === 'fields' ? value.fields.get(field) : undefined;
  if (value?.kind !== 'numbers' || value.shape.length !== 2) {
    const wanted = [variable, ...fields].join('.');
    throw new MatError(`it has no label map ${wanted}; it has ${[...variables.keys()].join(', ') || 'nothing'}`);
  }
  const [height = 0, width = 0] = value.shape;
  const data = new Uint16Array(height * width);
  for (let x = 0, at = 0; x < width; x++) {
    for (let y = 0; y < height; y++, at++) {
      const label = value.data[at]!;
      if (!(Number.isInteger(label) && label >= 0 && label <= 65_535))
        throw new MatError(`${label} at pixel ${x}, ${y} is no label`);
      data[y * width + x] = label;
    }
  }
  return { width, height, data };
}
