import { type Colour, hexColour, type Image } from '../image/index.ts';
import { estimatedLettering, type Lettering } from './lettering.ts';

/** A filled rectangle in pixels. */
export interface RectangleShape {
  readonly kind: 'rectangle';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly colour: Colour;
  /** Default 1. */
  readonly opacity?: number;
  /** Radius of its corners, or of the left two only. Default 0. */
  readonly radius?: number;
  readonly corners?: 'all' | 'left';
}

/** A line of text; (x, y) is where its base line begins. */
export interface TextShape {
  readonly kind: 'text';
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly size: number;
  readonly colour: Colour;
}

export type Shape = RectangleShape | TextShape;

/** An image, and what is drawn over it, in this order: data, for whoever can show SVG. */
export interface Drawing extends Image {
  readonly shapes: readonly Shape[];
}

/** How {@link svgOf} writes. */
export interface SvgOptions {
  /** Default: {@link estimatedLettering}. Give the one that the drawing was made with. */
  readonly lettering?: Lettering | undefined;
  /** Address of the image below, a data URI say. Left out, the SVG holds the shapes alone, to be laid over it. */
  readonly href?: string | undefined;
  /** Only this part of the drawing. */
  readonly region?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/**
 * The shapes of a drawing as SVG.
 *
 * ```ts
 * overlay.innerHTML = svgOf(drawSegmentation(photo, labels, { names })); // a page: over the photo
 * ```
 */
export function svgOf(drawing: Drawing, { lettering = estimatedLettering, href, region }: SvgOptions = {}): string {
  const { x, y, width, height } = region ?? { x: 0, y: 0, width: drawing.width, height: drawing.height };
  const image =
    href === undefined
      ? []
      : [`<image href="${escapeXml(href)}" width="${drawing.width}" height="${drawing.height}"/>`];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${x} ${y} ${width} ${height}">`,
    ...image,
    ...drawing.shapes.map((shape) => (shape.kind === 'text' ? textElement(shape, lettering) : rectangleElement(shape))),
    '</svg>',
    '',
  ].join('\n');
}

function rectangleElement({
  x,
  y,
  width,
  height,
  colour,
  opacity = 1,
  radius = 0,
  corners = 'all',
}: RectangleShape): string {
  const fill = `fill="${hexColour(colour)}"${opacity < 1 ? ` fill-opacity="${opacity}"` : ''}`;
  if (corners === 'left' && radius > 0) {
    const arc = (dx: number, dy: number) => `a${radius} ${radius} 0 0 1 ${dx} ${dy}`;
    return `<path d="M${x + width} ${y}v${height}H${x + radius}${arc(-radius, -radius)}V${y + radius}${arc(radius, -radius)}z" ${fill}/>`;
  }
  const round = radius > 0 ? ` rx="${radius}"` : '';
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}"${round} ${fill}/>`;
}

function textElement({ text, size, x, y, colour }: TextShape, lettering: Lettering): string {
  if (text === '') return '';
  const fill = `fill="${hexColour(colour)}"`;
  const outlines = lettering.path?.(text, size, x, y);
  if (outlines !== undefined) return `<path d="${outlines}" ${fill}/>`;
  const { width } = lettering.measure(text, size);
  const font = `font-family="Inter, system-ui, sans-serif" font-weight="600" font-size="${size}"`;
  return `<text x="${x}" y="${y}" textLength="${width}" lengthAdjust="spacingAndGlyphs" ${font} ${fill}>${escapeXml(text)}</text>`;
}

/** Text for the inside of an element or of an attribute. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
