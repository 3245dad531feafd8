import { digits, limitNote, type Row } from 'zeroseg/bench';
import { FamilyKey, familyNumber } from './families.tsx';
import { pointed, report, rows } from './state.ts';
import { TableFrame } from './table-frame.tsx';

/** Everything that was measured, family by family. */
export function RowsTable() {
  const all = rows.value;
  if (all.length === 0) return null;
  const families = [...new Set(all.map(({ group }) => group))];
  const hasGpuTime = all.some(({ gpuMs }) => gpuMs !== null);
  const columns = [
    'ms',
    ...(hasGpuTime ? ['GPU ms'] : []),
    'GFLOP/s',
    'GB/s',
    '% of limit',
    'first ms',
    'dispatches',
    'MB',
  ];
  return (
    <section class="card" aria-labelledby="kernels">
      <h3 class="card-title" id="kernels">
        Kernels and whole steps
      </h3>
      <TableFrame label="Numbers of each piece of work">
        <thead>
          <tr>
            <th scope="col">work</th>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        {families.map((family) => (
          <tbody key={family}>
            <tr class="family-row">
              <th scope="rowgroup" colSpan={columns.length + 1}>
                <span class="family-name">
                  <FamilyKey number={familyNumber(families, family)} />
                  {family}
                </span>
              </th>
            </tr>
            {all
              .filter(({ group }) => group === family)
              .map((row) => (
                <RowLine key={row.name} row={row} hasGpuTime={hasGpuTime} />
              ))}
          </tbody>
        ))}
      </TableFrame>
      {report.value && <p class="hint">{limitNote(report.value.clock)}</p>}
    </section>
  );
}

function RowLine({ row, hasGpuTime }: { row: Row; hasGpuTime: boolean }) {
  const point = (name: string | undefined) => () => {
    pointed.value = name;
  };
  return (
    <tr
      class={pointed.value === row.name ? 'is-pointed' : ''}
      onMouseEnter={point(row.name)}
      onMouseLeave={point(undefined)}
    >
      <th scope="row">
        <button
          type="button"
          class="row-name"
          title="Show it in the chart"
          onFocus={point(row.name)}
          onBlur={point(undefined)}
        >
          {row.name}
        </button>
      </th>
      <td>{digits(row.ms)}</td>
      {hasGpuTime && <td>{row.gpuMs === null ? '' : digits(row.gpuMs)}</td>}
      <td>{row.gflops === null ? '' : digits(row.gflops)}</td>
      <td>{row.gigabytesPerSecond === null ? '' : digits(row.gigabytesPerSecond)}</td>
      <td>
        {row.fraction !== null && (
          <>
            <meter class="share" value={Math.min(1, row.fraction)} min={0} max={1} aria-label="share of the limit" />
            {digits(100 * row.fraction)}
          </>
        )}
      </td>
      <td>{digits(row.firstMs)}</td>
      <td>{row.dispatches}</td>
      <td>{digits(row.bytes / 1e6)}</td>
    </tr>
  );
}
