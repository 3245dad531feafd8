import { useSignal, useSignalEffect } from '@preact/signals';
import { useId, useRef } from 'preact/hooks';
import { UploadIcon } from '../app/icons.tsx';
import { folderOfFiles } from './folder.ts';
import { formatBytes, formatRate, plural } from './formats.ts';
import { type NumberKey, numberProblem, type Plan, ranges } from './plan.ts';
import { problem } from './state/asking.ts';
import {
  change,
  drawPreview,
  folder,
  linkProblems,
  measureSpace,
  plan,
  space,
  spaceProblem,
  terms,
} from './state/next-run.ts';

const starts: readonly { id: Plan['start']; title: string; hint: string }[] = [
  {
    id: 'teacher',
    title: 'Head start: the teacher’s eyes',
    hint: 'The encoder begins as the image tower of the teacher. The decoder and the head, which repaint and divide, know nothing yet.',
  },
  {
    id: 'names',
    title: 'Head start: all but the names',
    hint: 'Begins as the built-in student, which repaints and divides; its last layers, which say what a segment is, are new, and learn that here.',
  },
  {
    id: 'student',
    title: 'Head start: the built-in student',
    hint: 'Goes on with a student that has already learnt from 12,000 scenes.',
  },
  {
    id: 'new',
    title: 'From scratch',
    hint: 'All weights are random: takes much longer until something is to be seen.',
  },
];

/** What to learn from, and how. */
export function Setup() {
  useSignalEffect(() => {
    void plan.value;
    void folder.value;
    void measureSpace();
    void drawPreview();
  });
  return (
    <>
      {linkProblems.value.length > 0 && (
        <p class="notice notice-problem" role="alert">
          Of the link, not all could be taken: {linkProblems.value.join('; ')}.
        </p>
      )}
      <Source />
      <Settings />
    </>
  );
}

function Source() {
  const { source } = plan.value;
  return (
    <section class="card" aria-labelledby="source">
      <h2 id="source" class="card-title">
        Learn from
      </h2>
      <div class="choice" role="radiogroup" aria-labelledby="source">
        {(
          [
            ['scenes', 'Made scenes'],
            ['photos', 'Your photos'],
          ] as const
        ).map(([id, title]) => (
          <label key={id}>
            <input type="radio" name="source" checked={source === id} onChange={() => change({ source: id })} />
            <span>{title}</span>
          </label>
        ))}
      </div>
      {source === 'scenes' ? (
        <>
          <p class="hint">
            Drawings of 40 things on 14 kinds of ground, put together anew each time. What is in them is known, so the
            student can be scored on scenes that it never learns from.
          </p>
          <NumberField name="scenes" title="Scenes" />
        </>
      ) : (
        <Photos />
      )}
    </section>
  );
}

function Photos() {
  return (
    <>
      <p class="hint">
        They never leave this device. The built-in teacher knows drawings and little of the world, so on photos the
        student learns to repaint and to divide; names it will not know.
      </p>
      <FolderButtons title={folder.value ? 'Another folder' : 'Choose a folder'} />
      <p class="hint" aria-live="polite">
        {folder.value
          ? `“${folder.value.name}”: ${plural(folder.value.photos.length, 'photo')}`
          : 'or drop one anywhere on the page.'}
      </p>
    </>
  );
}

/** Takes a folder of photos, or several photos where a device has no folders. */
export function FolderButtons({ title }: { title: string }) {
  const [whole, several] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  const take = (input: HTMLInputElement): void => {
    takeFolder(folderOfFiles([...(input.files ?? [])]));
    input.value = '';
  };
  return (
    <div class="buttons">
      <button type="button" class="button" onClick={() => whole.current?.click()}>
        <UploadIcon />
        {title}
      </button>
      <button type="button" class="button" onClick={() => several.current?.click()}>
        Photos
      </button>
      <input
        ref={whole}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        aria-label="Folder of photos"
        multiple
        {...{ webkitdirectory: true }}
        onChange={(event) => take(event.currentTarget)}
      />
      <input
        ref={several}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        aria-label="Photos"
        accept="image/*"
        multiple
        onChange={(event) => take(event.currentTarget)}
      />
    </div>
  );
}

/** Takes what was chosen or dropped; says why where there are no photos in it. */
export function takeFolder(found: ReturnType<typeof folderOfFiles>): void {
  if (typeof found === 'string') {
    problem.value = found;
    return;
  }
  problem.value = undefined;
  folder.value = found;
  change({ source: 'photos' });
}

function Settings() {
  const { start } = plan.value;
  const group = useId();
  return (
    <section class="card" aria-labelledby={group}>
      <h2 id={group} class="card-title">
        Settings
      </h2>
      <label class="setting setting-wide">
        <span>Weights to begin with</span>
        <select value={start} onChange={(event) => change({ start: event.currentTarget.value as Plan['start'] })}>
          {starts.map(({ id, title }) => (
            <option key={id} value={id}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <p class="hint">{starts.find(({ id }) => id === start)?.hint}</p>
      <NumberField name="steps" title="Steps" />
      <NumberField name="batch" title="Pictures a step" />
      <NumberField name="rate" title="Learning rate" />
      <NumberField name="mask" title="Share that is hidden" />
      <details class="more">
        <summary>Loss terms and seed</summary>
        {terms.value.map((term) => (
          <WeightField key={term.name} {...term} />
        ))}
        <NumberField name="seed" title="Seed" />
      </details>
      <SpaceHint />
    </section>
  );
}

function SpaceHint() {
  const found = space.value;
  if (spaceProblem.value !== undefined) {
    return (
      <p class="notice notice-problem" role="alert">
        {spaceProblem}
      </p>
    );
  }
  return (
    <p class="hint">
      {found
        ? `Takes about ${formatBytes(found.needed)} of this browser’s storage; ${formatBytes(found.free)} are free.`
        : ' '}
    </p>
  );
}

function NumberField({ name, title }: { name: NumberKey; title: string }) {
  const range = ranges[name];
  return (
    <Field
      title={title}
      value={plan.value[name]}
      isWhole={range.isWhole}
      problemOf={(value) => numberProblem(value, range)}
      onValue={(value) => change({ [name]: value })}
    />
  );
}

function WeightField({ title, about, weight, usual }: { title: string; about: string; weight: string; usual: number }) {
  return (
    <Field
      title={title}
      hint={about}
      value={plan.value.weights[weight] ?? usual}
      isWhole={false}
      problemOf={(value) => numberProblem(value, { min: 0, max: 1000, isWhole: false })}
      onValue={(value) => {
        const { [weight]: _, ...others } = plan.peek().weights;
        change({ weights: value === usual ? others : { ...others, [weight]: value } });
      }}
    />
  );
}

/** A number, taken as soon as it can be; what cannot is said beside it. */
function Field({
  title,
  hint,
  value,
  isWhole,
  problemOf,
  onValue,
}: {
  title: string;
  hint?: string;
  value: number;
  isWhole: boolean;
  problemOf: (value: number) => string | undefined;
  onValue: (value: number) => void;
}) {
  const wrong = useSignal<string | undefined>(undefined);
  const id = useId();
  return (
    <>
      <label class="setting">
        <span title={hint}>{title}</span>
        <input
          class="field"
          type="number"
          inputMode={isWhole ? 'numeric' : 'decimal'}
          step="any"
          value={isWhole ? value : formatRate(value)}
          aria-invalid={wrong.value !== undefined}
          aria-describedby={wrong.value !== undefined ? id : undefined}
          onInput={(event) => {
            const { valueAsNumber } = event.currentTarget;
            wrong.value = problemOf(valueAsNumber);
            if (wrong.value === undefined) onValue(valueAsNumber);
          }}
        />
      </label>
      {wrong.value !== undefined && (
        <p id={id} class="setting-problem" role="alert">
          {title} {wrong}
        </p>
      )}
    </>
  );
}
