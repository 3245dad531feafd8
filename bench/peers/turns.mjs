/** A turn repeats its workload for so many milliseconds, or so often. */
const turn = { span: 40, max: 10 };

/**
 * Runs every workload in every library: each pair in a place of its own (see `openPeer`), so that nothing of one stays with another and
 * every first run is cold; turns go round, so that whatever else the machine does meets all of them.
 *
 * `openPeer(library)` gives `{ open(), prepare(workload), turn(turn), stop() }`; whatever of it fails is told in the library's cell.
 * Cells are compared by the clock that `clockOf(isSoftware)` names.
 */
export async function measureInTurns(workloads, libraries, { runs, openPeer, clockOf, progress, onRow, signal }) {
  const report = { adapter: '', software: true, runs, labels: {}, rows: [] };
  for (const workload of workloads) {
    if (signal?.aborted) break;
    const results = {};
    const alive = [];
    try {
      for (const library of libraries) {
        progress({ workload: workload.name, library });
        const peer = await openPeer(library);
        alive.push({ library, peer });
        results[library] = await prepare(peer, { library, workload, report });
        progress({ workload: workload.name, library, found: results[library] });
      }
      const running = alive.filter(({ library }) => results[library].state !== 'none');
      for (let run = 0; run < runs && !signal?.aborted; run++) {
        for (let i = 0; i < running.length; i++) {
          // Who begins changes from round to round.
          const { library, peer } = running[(i + run) % running.length];
          const { samples, counts } = await peer.turn(turn);
          results[library].samples.push(...samples);
          results[library].counts = counts;
        }
      }
    } finally {
      await Promise.all(alive.map(({ peer }) => peer.stop()));
    }
    if (signal?.aborted) break;
    report.rows.push(row(workload, libraries, results, clockOf(report.software)));
    onRow?.(report);
  }
  return report;
}

async function prepare(peer, { library, workload, report }) {
  try {
    const { label, adapter, software } = await peer.open();
    report.labels[library] = label;
    if (adapter) Object.assign(report, { adapter, software });
    const { unsupported, first, error, wrong } = await peer.prepare(workload);
    if (unsupported) return { state: 'none', samples: [] };
    return { state: wrong.length > 0 ? 'wrong' : 'right', wrong, error, first, samples: [] };
  } catch (failure) {
    return { state: 'none', failure: failure.message, samples: [] };
  }
}

function row({ name, goal }, libraries, results, clock) {
  const cells = {};
  for (const library of libraries) {
    const { samples, ...rest } = results[library];
    const numbers = {};
    for (const one of ['wall', 'processor']) {
      const times = samples
        .map((sample) => sample[one])
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      if (times.length > 0) numbers[one] = { best: times[0], median: times[Math.floor(times.length / 2)] };
    }
    cells[library] = { ...rest, ...numbers, samples: samples.length };
  }
  const others = libraries.filter((library) => library !== 'zeroseg' && cells[library].state === 'right');
  const fastest = others.sort((a, b) => cells[a][clock].median - cells[b][clock].median)[0];
  const ours = cells.zeroseg;
  const compared = fastest && ours?.state === 'right';
  const ratios = compared
    ? {
        median: cells[fastest][clock].median / ours[clock].median,
        best: Math.min(...others.map((library) => cells[library][clock].best)) / ours[clock].best,
        first: ours.first[clock] / Math.min(...others.map((library) => cells[library].first[clock])),
        peakBytes: ours.counts.peakBytes / Math.min(...others.map((library) => cells[library].counts.peakBytes)),
      }
    : undefined;
  return { name, goal, clock, fastest, ratios, cells };
}
