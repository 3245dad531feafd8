/** Scores on scenes as lines of text. */
import { baselines as known } from '@zeroseg/core/internal';
import type { SceneScore, SceneScores, StudentScore } from '@zeroseg/core/zeroseg';
import { formatPercent } from '../shell/index.ts';

/** Scores as a table, the students first. */
export function scoreTable(
  { students, baselines }: SceneScores,
  titles: Readonly<Record<string, string>>,
  { groups }: { readonly groups?: readonly number[] | undefined } = {},
): string[] {
  // How segments are used is told of the groups of training alone.
  const as = groups === undefined ? '' : 'with the groups of its training ';
  const ways = (name: string, { scoring, others, ...own }: StudentScore): [string, SceneScore][] => [
    [`${name}, ${scoring}`, own],
    ...Object.entries(others).map(([way, other]): [string, SceneScore] => [`${name}, ${way}`, other]),
  ];
  const rows: [string, SceneScore][] = [
    ...Object.entries(students).flatMap(([key, student]) => ways(titles[key] ?? key, student)),
    ...known.flatMap(({ name, title }): [string, SceneScore][] => {
      const own = baselines[name];
      return own ? [[title, own]] : [];
    }),
  ];
  const widest = Math.max(...rows.map(([name]) => name.length));
  const cells = ({ objects, ground, accuracy }: SceneScore) =>
    [objects, ground, accuracy].map((value) => formatPercent(value).padStart(9)).join('');
  return [
    `${'mean IoU'.padEnd(widest)}  objects   ground   pixels right`,
    ...rows.map(([name, own]) => `${name.padEnd(widest)}${cells(own)}`),
    ...Object.entries(students).map(
      ([key, { groupsUsed, things }]) =>
        `${titles[key] ?? key}: ${as}cuts a scene into ${groupsUsed.toFixed(1)} segments, where there are ${things.toFixed(1)} objects and kinds of ground`,
    ),
  ];
}
