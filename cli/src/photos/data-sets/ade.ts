import type { FileTree } from '../../archives/index.ts';
import { mapped } from './coco.ts';
import type { DataSet } from './data-set.ts';
import { findBase, firstFolder, join, type LabelledPhoto } from './labelled-photos.ts';

// The names of ADEChallengeData2016/objectInfo150.txt, the first word of each, as MMSegmentation calls them.
const classes = `
  wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, door, table, mountain, plant,
  curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp,
  bathtub, railing, cushion, base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, refrigerator,
  grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, toilet,
  flower, book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel,
  light, truck, tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track, apparel, pole, land, bannister,
  escalator, ottoman, bottle, buffet, poster, stage, van, ship, fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool,
  barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle, lake,
  dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier, crt screen, plate, monitor,
  bulletin board, shower, radiator, glass, clock, flag`
  .trim()
  .split(/,\s+/);

/** ADE20K's scene parsing benchmark: 150 classes; what is labelled 0 does not count. */
export const ade: DataSet = {
  title: 'ADE20K',
  definition: {
    title: 'ADE20K (150 classes)',
    classes: ['other', ...classes],
    prompts: classes,
    ignore: 0,
    threshold: 0,
  },
  layout: {
    expects: 'images/validation/ID.jpg and annotations/validation/ID.png',
    remedy:
      'ADEChallengeData2016.zip can be given as it is (--root ADEChallengeData2016.zip), or unpacked: unzip ADEChallengeData2016.zip',
  },
  split: 'validation',
  read: adeDataSet,
};

const splits: Readonly<Record<string, string>> = { train: 'training', val: 'validation' };

export async function adeDataSet(files: FileTree, given: string): Promise<LabelledPhoto[]> {
  const split = Object.hasOwn(splits, given) ? splits[given] : given;
  const base = await findBase(files, 'annotations', ['ADEChallengeData2016', 'ade/ADEChallengeData2016']);
  const photos = await firstFolder(files, [join(base, `images/${split}`)], 'the folder with the photos is', ade.layout);
  const maps = await firstFolder(
    files,
    [join(base, `annotations/${split}`)],
    'the folder with the label maps is',
    ade.layout,
  );
  return mapped(files, photos, maps);
}
