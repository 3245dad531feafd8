/** The report as a Markdown table, with the notes that its numbers need. */
export function markdown({ adapter, runs, labels, rows }) {
  const libraries = Object.keys(labels);
  const clock = rows[0]?.clock === 'wall' ? 'wall' : 'processor';
  const head = ['', ...libraries.map((library) => labels[library]), 'against the fastest', 'goal (aim)'];
  const lines = rows.map(({ name, goal, ratios, fastest, cells }) => [
    name,
    ...libraries.map((library) => cell(cells[library], clock)),
    ratios ? `${mark(ratios.median >= goal.least)} **${ratios.median.toFixed(2)}×** ${labels[fastest]}` : '—',
    `${goal.least}× (${goal.aim}×)`,
  ]);
  const about = `${adapter} · median ${clock} ms of ${runs} interleaved rounds · d dispatches · s submits · b buffers and g bind groups made in a run · MB at the peak · first run, cold`;
  return [about, '', ...table([head, ...lines]), '', ...training(rows)].join('\n');
}

function cell(found, clock) {
  if (!found || found.state === 'none') return found?.failure ? 'failed' : '—';
  const { counts, first } = found;
  const { dispatches, submits, buffers, bindGroups, peakBytes } = counts;
  const made = `${dispatches}d ${submits}s ${buffers}b ${bindGroups}g`;
  const text = `${ms(found[clock].median)} · ${made} · ${(peakBytes / 1e6).toFixed(1)} MB · ${(first[clock] / 1000).toFixed(1)} s`;
  return found.state === 'wrong' ? `wrong (${text})` : text;
}

/** What a training step must reach besides its time. */
function training(rows) {
  const row = rows.find(({ name }) => name.includes('training step'));
  if (!row?.ratios) return [];
  const { dispatches, buffers, bindGroups } = row.cells.zeroseg.counts;
  const { peakBytes, first } = row.ratios;
  return table([
    ['training step', 'measured', 'at least', 'aim'],
    ['dispatches', `${mark(dispatches <= 40)} ${dispatches}`, '≤ 40', '≤ 25'],
    ['peak GPU bytes against the best', `${mark(peakBytes <= 0.5)} ${peakBytes.toFixed(2)}×`, '≤ 0.5×', '≤ 0.35×'],
    ['first run, cold, against the best', `${mark(first <= 0.5)} ${first.toFixed(2)}×`, '≤ 0.5×', '≤ 0.2×'],
    ['buffers and bind groups made', `${mark(buffers + bindGroups === 0)} ${buffers + bindGroups}`, '0', '0'],
  ]);
}

function mark(reached) {
  return reached ? '✓' : '✗';
}

function ms(value) {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function table([head, ...lines]) {
  const text = (cells) => `| ${cells.join(' | ')} |`;
  return [text(head), text(head.map(() => '---')), ...lines.map(text)];
}
