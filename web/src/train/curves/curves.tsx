import { formatPercent } from '../formats.ts';
import { plan, terms } from '../state/next-run.ts';
import { before, metrics, rates, run } from '../state/open-run.ts';
import { Chart, type Curve } from './chart.tsx';

const colours = ['--curve-1', '--curve-2', '--curve-3', '--curve-4', '--curve-5', '--curve-6'] as const;
const colourOf = (i: number): string => colours[i % colours.length] as string;

/** How fast a smooth curve forgets. */
const SMOOTHING = 0.85;

/** An exponential mean, without the bias of its beginning. */
function smooth(values: readonly (number | null)[]): (number | null)[] {
  let [mean, weight] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    mean = SMOOTHING * mean + (1 - SMOOTHING) * value;
    weight = SMOOTHING * weight + (1 - SMOOTHING);
    return mean / weight;
  });
}

const twice = (label: string, colour: string, values: readonly (number | null)[]): Curve[] => [
  { label: `${label}, every step`, colour, values, isFaint: true },
  { label, colour, values: smooth(values) },
];

/** Loss terms, scores and groups by step. */
export function Curves() {
  const all = metrics.value;
  const steps = [0, ...all.map(({ step }) => step)];
  const over = (pick: (one: (typeof all)[number]) => number | undefined, first?: number): (number | null)[] => [
    first ?? null,
    ...all.map((one) => pick(one) ?? null),
  ];
  // A term without a weight is 0 throughout.
  const shown = terms.value.filter(({ name }) => all.length === 0 || all.some((one) => (one.terms[name] ?? 0) > 0));
  const losses = shown.flatMap(({ name, title }, i) =>
    twice(
      title,
      colourOf(i),
      over((one) => one.terms[name]),
    ),
  );
  const isOfScenes = run.value?.plan.source !== 'photos';
  const score: Curve[] = isOfScenes
    ? [
        {
          ...{ label: 'pixels named right', colour: colourOf(0), isSparse: true },
          values: over((one) => one.probe?.['accuracy'], before.value?.accuracy),
        },
      ]
    : shown.map(({ name, title }, i) => ({
        ...{ label: title, colour: colourOf(i), isSparse: true },
        values: over((one) => one.probe?.[`validation ${name}`]),
      }));
  const groups: Curve[] = [
    ...twice(
      'first stage',
      colourOf(1),
      over((one) => one.grouping?.groupsFirst),
    ),
    ...twice(
      'segments',
      colourOf(0),
      over((one) => one.grouping?.groups),
    ),
  ];
  const end = run.value?.steps ?? plan.value.steps;
  const marks = rates.value.map(({ after }) => after);
  return (
    <section class="curves" aria-label="Curves">
      <Chart title="Loss terms" steps={steps} curves={losses} format={short} range={[0, 0.5]} end={end} marks={marks} />
      <Chart
        title={isOfScenes ? 'On scenes it never learns from' : 'Loss terms on photos that are held out'}
        steps={steps}
        curves={score}
        format={isOfScenes ? formatPercent : short}
        range={isOfScenes ? [0, 0.6] : [0, 0.5]}
        end={end}
        marks={marks}
      />
      <Chart
        title="Groups in use"
        steps={steps}
        curves={groups}
        format={short}
        range={[0, 8]}
        end={end}
        marks={marks}
      />
    </section>
  );
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
