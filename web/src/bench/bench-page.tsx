import { useSignal } from '@preact/signals';
import { Activities } from './activities.tsx';
import './bench.css';
import { LimitCards } from './limit-cards.tsx';
import { comparison } from './peers/peers.ts';
import { PeersPanel } from './peers/peers-panel.tsx';
import { asJson, asMarkdown } from './reports.ts';
import { RooflineChart } from './roofline-chart.tsx';
import { RowsTable } from './rows-table.tsx';
import { activity, isQuick, measure, only, problem, quickChosen, report, stop, tuned } from './state.ts';
import { Tuner } from './tuner.tsx';

/** What this GPU can do, and what the library's kernels make of it. */
export function BenchPage() {
  return (
    <div class="bench">
      <header class="bench-head">
        <h2>What this GPU can do, and what the kernels make of it</h2>
        <p class="bench-intro">
          First the device’s own limits are measured, then every kernel and whole training steps against them.
        </p>
        <Choices />
        {problem.value && (
          <p class="notice notice-problem" role="alert">
            {problem.value}
          </p>
        )}
      </header>
      <LimitCards />
      <RooflineChart />
      <RowsTable />
      <PeersPanel />
      <Tuner />
      <Copies />
    </div>
  );
}

function Choices() {
  const isBusy = activity.value !== undefined;
  return (
    <div class="bench-choices">
      <Activities
        what="measuring"
        title={report.value ? 'Measure again' : 'Measure'}
        isStrong
        onStart={measure}
        onStop={stop}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={isQuick.value}
          disabled={isBusy}
          onChange={(event) => {
            quickChosen.value = event.currentTarget.checked;
          }}
        />
        Small shapes
      </label>
      <label class="only">
        Only
        <input
          class="field"
          placeholder="all; or matmul, attention"
          value={only.value}
          disabled={isBusy}
          onInput={(event) => {
            only.value = event.currentTarget.value;
          }}
        />
      </label>
    </div>
  );
}

/** What a bug report needs. */
function Copies() {
  const said = useSignal('');
  const measured = { report: report.value, tuned: tuned.value, comparison: comparison.value };
  if (!measured.report && measured.tuned.length === 0 && !measured.comparison) return null;
  const copy = async (text: string, what: string) => {
    try {
      await navigator.clipboard.writeText(text);
      said.value = `Copied ${what}.`;
    } catch {
      said.value = 'This browser does not let the page copy; select the tables instead.';
    }
  };
  return (
    <section class="card" aria-labelledby="copies">
      <h3 class="card-title" id="copies">
        For a bug report
      </h3>
      <p class="hint">With the adapter, the browser, versions and the date. Nothing is sent anywhere.</p>
      <div class="activity">
        <button type="button" class="button" onClick={() => copy(asMarkdown(measured), 'as a Markdown table')}>
          Copy as a table
        </button>
        <button type="button" class="button" onClick={() => copy(asJson(measured), 'as JSON')}>
          Copy as JSON
        </button>
        <p role="status">{said}</p>
      </div>
    </section>
  );
}
