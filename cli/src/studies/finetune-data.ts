/** Labelled photos to fine-tune on: those of a data set, or photos that a model labels itself. */
import type { DataSetDefinition, Labelled, LabelMap, OpenVocabulary } from '@zeroseg/core/zeroseg';

/** Where nothing counts. */
const VOID = 255;

/** A data set's photos with 255 in the stead of its own label for what does not count: of scenes 0, ground without a name. */
export function withVoid(photos: readonly Labelled[], { ignore }: Pick<DataSetDefinition, 'ignore'>): Labelled[] {
  if (ignore === null || ignore === VOID) return [...photos];
  return photos.map(({ id, load }) => ({
    id,
    load: async () => {
      const { image, labels } = await load();
      return { image, labels: { ...labels, data: labels.data.map((label) => (label === ignore ? VOID : label)) } };
    },
  }));
}

/**
 * Photos with the labels that a model gives them, as in the self-training of MaskCLIP+: the truth is not looked at. Each photo is labelled
 * when it is first asked for. Where the data set has no background, what the model takes for background does not count.
 */
export function pseudoLabelled(
  photos: readonly Labelled[],
  model: OpenVocabulary,
  { prompts, ignore, threshold }: Pick<DataSetDefinition, 'prompts' | 'ignore' | 'threshold'>,
): Labelled[] {
  const known = new Map<string, LabelMap>();
  return withVoid(
    photos.map(({ id, load }) => ({
      id,
      load: async () => {
        const { image } = await load();
        let labels = known.get(id);
        if (!labels) {
          ({ labels } = await model.segment(image, prompts, { threshold }));
          known.set(id, labels);
        }
        return { image, labels };
      },
    })),
    { ignore: ignore === 0 ? 0 : VOID },
  );
}
