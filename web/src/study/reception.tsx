import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { CountTable } from './count-table.tsx';
import type { StudyFacts } from './messages.ts';
import { close, count, download, isBusy, sit, tally } from './state.ts';

/** Who votes? */
export function Reception({ study }: { study: StudyFacts }) {
  const field = useRef<HTMLInputElement>(null);
  const name = useSignal(freeName(study));
  useEffect(() => field.current?.focus(), []);
  const done = study.voters.filter(({ votes }) => votes === study.pictures).length;
  return (
    <>
      <header class="study-head">
        <h2>{study.question}</h2>
        <p class="study-intro">
          {study.pictures} pairs; {done} of {study.votes} voters are done. Everybody sees them in another order.
        </p>
      </header>
      <section class="card" aria-labelledby="voting">
        <h3 class="card-title" id="voting">
          Vote
        </h3>
        <form
          class="study-actions"
          onSubmit={(event) => {
            event.preventDefault();
            void sit(name.value);
          }}
        >
          <label class="voter-name">
            Voter
            <input
              ref={field}
              class="field"
              required
              maxLength={60}
              value={name.value}
              onInput={(event) => {
                name.value = event.currentTarget.value;
              }}
            />
          </label>
          <button type="submit" class="button button-strong" disabled={isBusy.value}>
            {study.voters.some((voter) => voter.name === name.value.trim()) ? 'Go on' : 'Begin'}
          </button>
          <button type="button" class="button" onClick={close}>
            Other studies
          </button>
        </form>
        <p class="hint">
          Keys: <kbd>←</kbd> left, <kbd>→</kbd> right, <kbd>↓</kbd> no difference, <kbd>Backspace</kbd> takes the last
          vote back. Every vote is kept at once: close the page whenever you like.
        </p>
      </section>
      {study.voters.length > 0 && (
        <section class="card" aria-labelledby="voters">
          <h3 class="card-title" id="voters">
            Votes so far
          </h3>
          <ul class="kept-list">
            {study.voters.map(({ name: one, votes }) => (
              <li key={one}>
                <span class="kept-facts">
                  <strong>{one}</strong>
                  <span class="hint">
                    {votes} of {study.pictures}
                  </span>
                </span>
                <button
                  type="button"
                  class="button"
                  onClick={() => download(one)}
                  aria-label={`Download the votes of ${one}`}
                >
                  Download
                </button>
              </li>
            ))}
          </ul>
          <div class="study-actions">
            <button type="button" class="button" disabled={isBusy.value} onClick={count}>
              Count them
            </button>
            <p class="hint">The count tells which is which: vote first.</p>
          </div>
          {tally.value && <CountTable tally={tally.value} />}
        </section>
      )}
    </>
  );
}

/** `voter 2` where there is a `voter 1`. */
function freeName({ voters }: StudyFacts): string {
  for (let n = 1; ; n++) if (!voters.some(({ name }) => name === `voter ${n}`)) return `voter ${n}`;
}
