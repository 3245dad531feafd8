/** What a visitor takes along, made in the worker at the photo's full size. */
import {
  classRecord,
  classRegions,
  type Drawing,
  drawSegmentation,
  type Image,
  type Lettering,
  labelScores,
  softMask,
} from '@zeroseg/core/zeroseg';
import { encode } from 'fast-png';
import type { ExportOptions, Segmented } from '../messages.ts';

export async function exportResult(image: Image, result: Segmented, options: ExportOptions): Promise<Blob> {
  const { kind, colours, label = 0 } = options;
  const { labels, names, resized } = result;
  switch (kind) {
    case 'overlay': {
      const context = canvas(1, 1);
      const lettering: Lettering = { measure: (text, size) => measured(context, text, size) };
      const drawn = [undefined, ...names.slice(1)];
      return pngOf(
        drawSegmentation(image, labels, { names: drawn, colour: (one) => colours[one] ?? [0, 0, 0], lettering }),
      );
    }
    case 'labels': {
      const { width, height, data } = labels;
      const depth = data instanceof Uint16Array ? 16 : 8;
      return new Blob([encode({ width, height, data, channels: 1, depth }) as BlobPart], { type: 'image/png' });
    }
    case 'json':
      return new Blob([recordOf(result, options)], { type: 'application/json' });
    case 'cutout': {
      const alpha = softMask(labels, label, Math.max(1, image.width / resized.width));
      const pixels = new Uint8ClampedArray(4 * alpha.length);
      for (let at = 0; at < alpha.length; at++) {
        pixels.set(image.data.subarray(3 * at, 3 * at + 3), 4 * at);
        pixels[4 * at + 3] = alpha[at]!;
      }
      const data = encode({ width: image.width, height: image.height, data: pixels, channels: 4, depth: 8 });
      return new Blob([data as BlobPart], { type: 'image/png' });
    }
  }
}

/** Where each word is: fraction, box, COCO's run lengths and polygons, as `zeroseg segment` writes them. */
function recordOf(result: Segmented, { photoName, model, colours }: ExportOptions): string {
  const { labels, names, resized } = result;
  const classes = classRegions(labels, { scores: labelScores(result) }).map((region) =>
    classRecord(region, { name: names[region.label] as string, colour: colours[region.label] ?? [0, 0, 0] }),
  );
  const { width, height } = labels;
  const record = {
    format: 'zeroseg-page-1',
    photo: photoName,
    width,
    height,
    model,
    names: names.slice(1),
    resized,
    classes,
  };
  return `${JSON.stringify(record)}\n`;
}

function canvas(width: number, height: number): OffscreenCanvasRenderingContext2D {
  return new OffscreenCanvas(width, height).getContext('2d') as OffscreenCanvasRenderingContext2D;
}

function font(size: number): string {
  return `500 ${size}px system-ui, sans-serif`;
}

function measured(context: OffscreenCanvasRenderingContext2D, text: string, size: number) {
  context.font = font(size);
  const { width, fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = context.measureText(text);
  return { width: Math.max(1, Math.ceil(width)), height: Math.ceil(ascent + descent), ascent: Math.ceil(ascent) };
}

async function pngOf({ width, height, data, shapes }: Drawing): Promise<Blob> {
  const context = canvas(width, height);
  const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) pixels.set(data.subarray(from, from + 3), to);
  context.putImageData(new ImageData(pixels, width, height), 0, 0);
  for (const shape of shapes) {
    context.fillStyle = `rgb(${shape.colour.join(' ')})`;
    if (shape.kind === 'text') {
      context.font = font(shape.size);
      context.fillText(shape.text, shape.x, shape.y);
      continue;
    }
    const { x, y, radius = 0, corners } = shape;
    context.globalAlpha = shape.opacity ?? 1;
    context.beginPath();
    context.roundRect(x, y, shape.width, shape.height, corners === 'left' ? [radius, 0, 0, radius] : radius);
    context.fill();
    context.globalAlpha = 1;
  }
  return context.canvas.convertToBlob({ type: 'image/png' });
}
