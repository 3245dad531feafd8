import { useEffect, useRef } from 'preact/hooks';
import './language.ts';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { theme } from '../../app/theme.ts';

export interface Curve {
  readonly label: string;
  /** A custom property of CSS: `--curve-1`. */
  readonly colour: string;
  /** By step; null where there is nothing. */
  readonly values: readonly (number | null)[];
  /** Drawn faintly, without a place in the legend: what a smooth curve was made of. */
  readonly isFaint?: boolean;
  /** Points are joined over steps without a value. */
  readonly isSparse?: boolean;
}

const HEIGHT = 148;

/** Curves over steps. What they end at stands in the legend; under the pointer, what they are there. */
export function Chart({
  title,
  steps,
  curves,
  format,
  range,
  end,
  marks = [],
}: {
  title: string;
  steps: readonly number[];
  curves: readonly Curve[];
  format: (value: number) => string;
  /** Least and largest value that are always shown. */
  range: readonly [number, number];
  /** The last step there will be. */
  end: number;
  /** Steps at which something was changed. */
  marks?: readonly number[];
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const legend = useRef<HTMLUListElement>(null);
  const data: uPlot.AlignedData = [steps as number[], ...curves.map(({ values }) => values as (number | null)[])];
  const shown = useRef({ curves, marks, format, end });
  shown.current = { curves, marks, format, end };

  useEffect(() => {
    const place = box.current as HTMLDivElement;
    const style = getComputedStyle(place);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      font: `12px ${colour('--font')}`,
    };
    const made = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        padding: [10, 16, 0, 0],
        cursor: { sync: { key: 'training' }, points: { size: 7 }, y: false, drag: { x: false, y: false } },
        scales: {
          x: { time: false, range: () => [0, Math.max(1, shown.current.end)] },
          y: {
            range: (_, min, max) => [Math.min(range[0], min ?? range[0]), Math.max(range[1], (max ?? range[1]) * 1.04)],
          },
        },
        axes: [
          { ...axis, size: 28, gap: 4 },
          { ...axis, size: 46, gap: 4, values: (_, all) => all.map((value) => format(value)) },
        ],
        series: [
          {},
          ...curves.map(
            ({ label, colour: name, isFaint, isSparse }): uPlot.Series => ({
              label,
              stroke: colour(name),
              width: isFaint ? 1 : 2,
              alpha: isFaint ? 0.28 : 1,
              spanGaps: isSparse ?? false,
              points: { show: isSparse ?? false, size: 5, fill: colour(name) },
            }),
          ),
        ],
        hooks: {
          draw: [(self) => drawMarks(self, shown.current.marks, colour('--muted'))],
          setCursor: [(self) => writeLegend(legend.current, shown.current, self.data, self.cursor.idx)],
        },
      },
      data,
      place,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: HEIGHT }));
    observer.observe(place);
    return () => {
      observer.disconnect();
      made.destroy();
    };
    // A canvas does not follow the page's colours.
  }, [theme.value, curves.map(({ label }) => label).join()]);

  useEffect(() => {
    plot.current?.setData(data);
    writeLegend(legend.current, shown.current, data, plot.current?.cursor.idx);
  }, [steps, curves, end]);

  const said = curves
    .filter(({ isFaint }) => !isFaint)
    .map(({ label, values }) => {
      const value = values.findLast((one) => one !== null);
      return `${label} ${value == null ? 'not yet' : format(value)}`;
    });
  return (
    <figure class="chart">
      <figcaption class="chart-head">
        <h2>{title}</h2>
        <ul class="legend" ref={legend}>
          {curves
            .filter(({ isFaint }) => !isFaint)
            .map(({ label, colour }) => (
              <li key={label}>
                <span class="legend-line" style={{ background: `var(${colour})` }} />
                {label} <b />
              </li>
            ))}
        </ul>
      </figcaption>
      <div ref={box} class="chart-box" role="img" aria-label={`${title} by step: ${said.join(', ')}`} />
    </figure>
  );
}

/** Writes values into the legend: those under the pointer, else the last ones. Not by a signal: a pointer moves often. */
function writeLegend(
  legend: HTMLUListElement | null,
  { curves, format }: { curves: readonly Curve[]; format: (value: number) => string },
  data: uPlot.AlignedData,
  at: number | null | undefined,
): void {
  const places = legend?.querySelectorAll('b') ?? [];
  let place = 0;
  for (const [i, { isFaint }] of curves.entries()) {
    if (isFaint) continue;
    const values = (data[i + 1] ?? []) as (number | null)[];
    const until = at == null ? values : values.slice(0, at + 1);
    const value = until.findLast((one) => one != null);
    const target = places[place++];
    if (target) target.textContent = value == null ? '' : format(value);
  }
}

/** Dashed lines where the learning rate was changed. */
function drawMarks({ ctx, bbox, valToPos }: uPlot, marks: readonly number[], colour: string): void {
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash([4, 4]);
  for (const mark of marks) {
    const x = Math.round(valToPos(mark, 'x', true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
