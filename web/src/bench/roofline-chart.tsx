import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { digits, type Roofline, type RooflinePoint, roofAt, roofline } from 'zeroseg/bench';
import { FamilyKey, FamilyShape, familyNumber } from './families.tsx';
import { limits, pointed, rows } from './state.ts';

/** Room for the axes' numbers. */
const margin = { left: 54, right: 14, top: 16, bottom: 46 } as const;
/** Pointed at from so many pixels away. */
const REACH = 26;

export function RooflineChart() {
  if (!limits.value) return null;
  const roof = roofline(limits.value, rows.value);
  const families = [...new Set(rows.value.map(({ group }) => group))];
  return (
    <section class="card" aria-labelledby="roofline">
      <h3 class="card-title" id="roofline">
        Roofline
      </h3>
      <Sized>
        {(width) => <Plot roof={roof} families={families} width={width} height={Math.min(440, 200 + 0.34 * width)} />}
      </Sized>
      <ul class="family-list">
        {families.map((family) => (
          <li key={family}>
            <FamilyKey number={familyNumber(families, family)} />
            {family}
          </li>
        ))}
      </ul>
      <p class="hint">
        The line is what the device allows: its bandwidth on the left, its multiply-adds on the right. Further below it
        is further from the limit. At the left end: work without products, of which only bytes count. At the right end:
        whole steps, of which only products count.
      </p>
    </section>
  );
}

/** What is drawn for the width that there is. */
function Sized({ children }: { children: (width: number) => ComponentChildren }) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = frame;
    if (!current) return;
    setWidth(current.clientWidth);
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  return (
    <div class="roofline" ref={frame}>
      {width > 0 && children(width)}
    </div>
  );
}

interface PlotOptions {
  readonly roof: Roofline;
  readonly families: readonly string[];
  readonly width: number;
  readonly height: number;
}

function Plot({ roof, families, width, height }: PlotOptions) {
  const { x, y, xTicks, yTicks, lowest, highest } = scales(roof, width, height);
  const at = (point: RooflinePoint) => [x(point.intensity), y(point.gflops)] as const;
  const current = roof.points.find(({ row }) => row.name === pointed.value);
  const [left, right, bottom] = [margin.left, width - margin.right, height - margin.bottom];
  const point = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const distance = (one: RooflinePoint) => Math.hypot(at(one)[0] - px, at(one)[1] - py);
    const [nearest] = [...roof.points].sort((a, b) => distance(a) - distance(b));
    pointed.value = nearest && distance(nearest) < REACH ? nearest.row.name : undefined;
  };
  return (
    <>
      <svg
        width={width}
        height={height}
        role="img"
        aria-label={`Roofline: ${roof.points.length} pieces of work against ${digits(roof.gflops)} GFLOP/s and ${digits(roof.gigabytesPerSecond)} GB/s; the table has the same numbers`}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => {
          pointed.value = undefined;
        }}
      >
        {xTicks.map((tick) => (
          <g key={`x${tick}`}>
            <line class="grid" x1={x(tick)} x2={x(tick)} y1={margin.top} y2={bottom} />
            <text class="tick" x={x(tick)} y={bottom + 17} text-anchor="middle">
              {written(tick)}
            </text>
          </g>
        ))}
        {yTicks.map((tick) => (
          <g key={`y${tick}`}>
            <line class="grid" x1={left} x2={right} y1={y(tick)} y2={y(tick)} />
            <text class="tick" x={left - 8} y={y(tick) + 4} text-anchor="end">
              {written(tick)}
            </text>
          </g>
        ))}
        <text class="axis" x={(left + right) / 2} y={height - 8} text-anchor="middle">
          FLOP a byte
        </text>
        <text class="axis" transform={`translate(13 ${(margin.top + bottom) / 2}) rotate(-90)`} text-anchor="middle">
          GFLOP/s
        </text>
        <polyline
          class="roof"
          points={[roof.min, roof.ridge, roof.max]
            .map((intensity) => `${x(intensity)},${y(Math.max(lowest, Math.min(highest, roofAt(roof, intensity))))}`)
            .join(' ')}
        />
        <text class="roof-label" x={right} y={y(roof.gflops) - 7} text-anchor="end">
          {digits(roof.gflops)} GFLOP/s
        </text>
        <text
          class="roof-label"
          x={x(Math.sqrt(roof.min * roof.ridge)) - 8}
          y={y(roofAt(roof, Math.sqrt(roof.min * roof.ridge))) - 6}
          text-anchor="end"
        >
          {digits(roof.gigabytesPerSecond)} GB/s
        </text>
        {roof.points.map((one) => (
          <g
            key={one.row.name}
            class={one === current ? 'point is-pointed' : 'point'}
            transform={`translate(${at(one).join(' ')})${one === current ? ' scale(1.6)' : ''}`}
          >
            <FamilyShape number={familyNumber(families, one.row.group)} />
          </g>
        ))}
      </svg>
      {current && <PointCard point={current} x={at(current)[0]} y={at(current)[1]} width={width} />}
    </>
  );
}

function PointCard({ point, x, y, width }: { point: RooflinePoint; x: number; y: number; width: number }) {
  const { row, known, intensity } = point;
  const wide = Math.min(260, width - 16);
  const left = Math.max(8, Math.min(width - wide - 8, x - wide / 2));
  return (
    <div class="point-card" style={{ left: `${left}px`, top: `${y + 16}px`, width: `${wide}px` }}>
      <strong>{row.name}</strong>
      <span>
        {digits(row.gpuMs ?? row.ms)} ms
        {row.gflops !== null && `, ${digits(row.gflops)} GFLOP/s`}
        {row.gigabytesPerSecond !== null && `, ${digits(row.gigabytesPerSecond)} GB/s`}
      </span>
      <span>
        {row.fraction !== null && `${digits(100 * row.fraction)} % of the limit`}
        {known === 'both' && `, at ${digits(intensity)} FLOP a byte`}
      </span>
    </div>
  );
}

/** Where values lie, and round numbers along the axes. */
function scales(roof: Roofline, width: number, height: number) {
  const values = roof.points.map(({ gflops }) => gflops);
  const lowest = Math.min(roofAt(roof, roof.min), ...values) / 2;
  const highest = Math.max(roof.gflops, ...values) * 1.6;
  const scale = (from: number, to: number, start: number, end: number) => (value: number) =>
    start + ((end - start) * Math.log(value / from)) / Math.log(to / from);
  const x = scale(roof.min / 1.4, roof.max * 1.4, margin.left, width - margin.right);
  const y = scale(lowest, highest, height - margin.bottom, margin.top);
  const xTicks = ticks(roof.min, roof.max, width < 520 ? 4 : 8);
  return { x, y, xTicks, yTicks: ticks(lowest, highest, 7), lowest, highest };
}

/** Round numbers, at most `max` of them: with 1, 2 and 5 in front, with 1, or with 1 of every so many powers of ten. */
function ticks(from: number, to: number, max: number): number[] {
  const [first, last] = [Math.floor(Math.log10(from)), Math.ceil(Math.log10(to))];
  for (let every = 0; ; every++) {
    const found: number[] = [];
    for (let power = first; power <= last; power += Math.max(1, every)) {
      for (const digit of every === 0 ? [1, 2, 5] : [1]) found.push(Number(`${digit}e${power}`));
    }
    const within = found.filter((value) => value >= from && value <= to);
    if (within.length <= max) return within;
  }
}

function written(value: number): string {
  return value >= 1 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}
