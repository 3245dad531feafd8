import { openDevice } from '@zeroseg/core';
import { photos } from '@zeroseg/pretrained';
import { openVocabulary, readPhoto } from 'zeroseg';

const model = await openVocabulary(await openDevice(), { model: 'built-in', clip: 'built-in', scoring: 'softmax' });
const { labels, names, segments } = await model.segment(await readPhoto(photos.boats), ['boat', 'water', 'sky']); // or a path
console.log(labels.width, labels.height, names[labels.data[0]]); // what the first pixel is
for (const { name, score, pixels } of segments) console.log(name, score.toFixed(2), pixels);