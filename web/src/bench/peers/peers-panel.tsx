import { digits } from 'zeroseg/bench';
import { Activities } from '../activities.tsx';
import { activity } from '../state.ts';
import { TableFrame } from '../table-frame.tsx';
import { type Comparison, chosenWork, compare, comparison, stopComparing, workNames } from './peers.ts';
import { timeOf } from './peers-table.ts';

/** TensorFlow.js and jax-js beside this library; their code is loaded when they are asked for. */
export function PeersPanel() {
  const chosen = chosenWork.value;
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    chosenWork.value = next;
  };
  return (
    <section class="card" aria-labelledby="peers">
      <h3 class="card-title" id="peers">
        Beside TensorFlow.js and jax-js
      </h3>
      <p class="hint">
        The same work, in the same run: each library in a worker of its own, in turns, checked against float64. Their
        code (about 1 MB) comes from this page’s own address when you start.
      </p>
      <details class="known">
        <summary>
          {chosen.size} of {workNames.length} pieces of work
        </summary>
        <ul class="work-list">
          {workNames.map((name) => (
            <li key={name}>
              <label class="check">
                <input type="checkbox" checked={chosen.has(name)} onChange={() => toggle(name)} />
                {name}
              </label>
            </li>
          ))}
        </ul>
      </details>
      <Activities
        what="comparing"
        title="Compare"
        isPossible={chosen.size > 0}
        onStart={compare}
        onStop={stopComparing}
      />
      {comparison.value && comparison.value.rows.length > 0 && <ComparisonTable found={comparison.value} />}
      {comparison.value && !activity.value && (
        <p class="hint">
          Median ms by the wall clock, with the wait for the GPU in it. First run: from the numbers in memory to the
          first result, compiling included.
        </p>
      )}
    </section>
  );
}

function ComparisonTable({ found: { labels, rows } }: { found: Comparison }) {
  const libraries = Object.keys(labels);
  return (
    <TableFrame label="The same work in three libraries">
      <thead>
        <tr>
          <th scope="col">ms</th>
          {libraries.map((library) => (
            <th key={library} scope="col">
              {labels[library]}
            </th>
          ))}
          <th scope="col">times as fast</th>
          <th scope="col">first run, s</th>
          <th scope="col">peak MB</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, cells, ratios, fastest }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {libraries.map((library) => (
              <td key={library} title={cells[library]?.failure ?? cells[library]?.wrong?.join(', ')}>
                {timeOf(cells[library])}
              </td>
            ))}
            <td title={fastest && `against ${labels[fastest]}`}>
              <strong>{ratios ? ratios.median.toFixed(2) : ''}</strong>
            </td>
            <td>{libraries.map((library) => seconds(cells[library]?.first?.wall)).join(' · ')}</td>
            <td>{libraries.map((library) => megabytes(cells[library]?.counts?.peakBytes)).join(' · ')}</td>
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}

function seconds(milliseconds: number | undefined): string {
  return milliseconds === undefined ? '–' : digits(milliseconds / 1000);
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? '–' : digits(bytes / 1e6);
}
