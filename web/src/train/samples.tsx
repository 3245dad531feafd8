import { computed } from '@preact/signals';
import { plan, preview } from './state/next-run.ts';
import { chooseSample, chosenSample, run, samples, sheet, standing } from './state/open-run.ts';

const columns = [
  { title: 'Picture', about: 'the picture' },
  { title: 'Shown', about: 'what of it the student sees' },
  { title: 'Repainted', about: 'what it repaints behind the grey' },
  { title: 'Segments', about: 'what it divides the whole picture into' },
] as const;
const named = {
  title: 'Names',
  about: 'what it calls its segments: blue where that is right, striped orange where it is not',
} as const;
const ROWS = 4;

/** Of photos nobody knows what is right. */
const shownColumns = computed(() =>
  (run.value?.plan ?? plan.value).source === 'photos' ? columns : [...columns, named],
);

/** What the student makes of pictures that it does not learn from, after the step that is chosen. */
export function Samples() {
  const shown = sheet.value;
  const steps = samples.value;
  const at = shown ? steps.indexOf(shown.step) : -1;
  const all = shownColumns.value;
  return (
    <section class="samples-card" aria-label="Samples" style={{ '--columns': String(all.length) }}>
      <div class="sheet-head" aria-hidden="true">
        {all.map(({ title, about }) => (
          <span key={title} title={about}>
            {title}
          </span>
        ))}
      </div>
      <div
        class={shown ? 'sheet' : 'sheet is-empty'}
        role="img"
        aria-label={
          shown
            ? `Four pictures after step ${shown.step}, each as it is, as it is shown to the student, as it is repainted, in segments${all.length > columns.length ? ', and where its names are right' : ''}`
            : 'No samples yet'
        }
      >
        {Array.from({ length: ROWS * all.length }, (_, i) => (
          <Tile key={i} row={Math.floor(i / all.length)} column={i % all.length} columns={all.length} />
        ))}
        {!shown && (
          <p class="sheet-hint">
            {run.value
              ? 'The first samples come when the teacher has looked.'
              : 'Here you will watch the student learn: what it is shown of a picture, what it repaints, how it divides it, and what it calls that.'}
          </p>
        )}
      </div>
      {all.length > columns.length && shown && <p class="hint">Names: blue where they are right, orange where not.</p>}
      <label class="film">
        <span>{shown ? `After step ${shown.step}` : 'Samples'}</span>
        <input
          type="range"
          min={0}
          max={Math.max(1, steps.length - 1)}
          value={Math.max(0, at)}
          disabled={steps.length < 2}
          aria-label="Step of the samples"
          aria-valuetext={shown ? `after step ${shown.step}` : 'none'}
          onInput={(event) => {
            const number = Number(event.currentTarget.value);
            void chooseSample(number === steps.length - 1 ? undefined : steps[number]);
          }}
        />
        <button
          type="button"
          class="button"
          aria-pressed={chosenSample.value === undefined}
          disabled={steps.length === 0}
          onClick={() => void chooseSample(undefined)}
        >
          {standing.value?.phase === 'training' ? 'Live' : 'Newest'}
        </button>
      </label>
    </section>
  );
}

/** A tile of the sheet: a part of its picture or, before there is one, of the pictures that it will show. */
function Tile({ row, column, columns }: { row: number; column: number; columns: number }) {
  const url = sheet.value?.url;
  const first = column === 0 && run.value?.plan.source !== 'photos' ? preview.value : undefined;
  if (!url && first) {
    const place = `0 ${(100 * row) / (ROWS - 1)}%`;
    return (
      <span
        class="tile"
        style={{ backgroundImage: `url("${first}")`, backgroundPosition: place, backgroundSize: '100% 400%' }}
      />
    );
  }
  return (
    <span
      class="tile"
      style={
        url && {
          backgroundImage: `url("${url}")`,
          backgroundPosition: `${(100 * column) / (columns - 1)}% ${(100 * row) / (ROWS - 1)}%`,
        }
      }
    />
  );
}
