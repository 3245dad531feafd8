import { digits } from 'zeroseg/bench';
import { Activities } from './activities.tsx';
import { activity, findForms, keepTuned, stop, tuned } from './state.ts';
import { TableFrame } from './table-frame.tsx';

/** Which variants of matrix products the tuner takes here. */
export function Tuner() {
  const found = tuned.value;
  const changed = found.filter(({ before, after }) => after < 0.99 * before).length;
  return (
    <section class="card" aria-labelledby="tuner">
      <h3 class="card-title" id="tuner">
        Forms that the tuner chooses
      </h3>
      <p class="hint">
        A matrix product can be computed in several variants: tiles of registers, tiles in shared memory, long sums
        split, lanes of subgroups. Which one is the fastest depends on the device. Every form’s result is compared with
        the plain one’s first.
      </p>
      <label class="check">
        <input
          type="checkbox"
          checked={keepTuned.value}
          disabled={activity.value === 'tuning'}
          onChange={(event) => {
            keepTuned.value = event.currentTarget.checked;
          }}
        />
        Keep them for this page
      </label>
      <Activities what="tuning" title="Find the fastest" onStart={findForms} onStop={stop} />
      {found.length > 0 && (
        <>
          <TableFrame label="Chosen variants">
            <thead>
              <tr>
                <th scope="col">product</th>
                <th scope="col">chosen form</th>
                <th scope="col">ms by default</th>
                <th scope="col">ms tuned</th>
                <th scope="col">times as fast</th>
              </tr>
            </thead>
            <tbody>
              {found.map(({ work, chosen, before, after }) => (
                <tr key={work}>
                  <th scope="row">{work}</th>
                  <td>{chosen}</td>
                  <td>{digits(before)}</td>
                  <td>{digits(after)}</td>
                  <td>{(before / after).toFixed(2)}</td>
                </tr>
              ))}
            </tbody>
          </TableFrame>
          {activity.value !== 'tuning' && (
            <p class="hint">
              {changed} of {found.length} products have a faster form than the default
              {keepTuned.value ? '; what this page opens from now on takes it.' : '.'}
            </p>
          )}
        </>
      )}
    </section>
  );
}
