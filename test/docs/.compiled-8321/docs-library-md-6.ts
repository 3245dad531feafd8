import { openDevice } from '@zeroseg/core';
import { imageFromRgba, openVocabulary } from '@zeroseg/core/zeroseg';
import { photos, student, teacher } from '@zeroseg/pretrained';

const picture = await createImageBitmap(await (await fetch(photos.boats)).blob());
const canvas = document.createElement('canvas');
[canvas.width, canvas.height] = [picture.width, picture.height];
const context = canvas.getContext('2d')!;
context.drawImage(picture, 0, 0);

const device = await openDevice();
const model = await openVocabulary(device, { model: student.weights, clip: teacher, scoring: 'softmax' });
const photo = imageFromRgba(context.getImageData(0, 0, canvas.width, canvas.height));
const { labels, names } = await model.segment(photo, ['boat', 'water', 'sky']);
console.log(labels.width, labels.height, names[labels.data[0]]);