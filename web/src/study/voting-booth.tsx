import { useEffect } from 'preact/hooks';
import type { Side, StudyFacts } from './messages.ts';
import { isBusy, leave, type OnScreen, undo, vote, voted, voter } from './state.ts';

const keys: Readonly<Record<string, Side>> = { ArrowLeft: 'left', ArrowRight: 'right', ArrowDown: 'tie', t: 'tie' };

/** A pair, and the question. */
export function VotingBooth({ study, pair }: { study: StudyFacts; pair: OnScreen }) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      // A key that is held down is one vote.
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const side = keys[event.key];
      if (side) void vote(side);
      else if (event.key === 'Backspace' || event.key === 'u') void undo();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
  return (
    <section class="booth" aria-labelledby="question">
      <header class="booth-head">
        <h2 id="question">{study.question}</h2>
        <p class="booth-progress" role="status">
          Pair {pair.number} of {study.pictures}
          <span class="visually-hidden">, {voter.value}</span>
        </p>
        <progress value={voted.value} max={study.pictures} aria-label="Pairs that are voted on" />
      </header>
      {pair.photo && <img class="booth-photo" src={pair.photo} alt={`Pair ${pair.number}, as it was photographed`} />}
      <div class="booth-pair">
        <figure>
          <img src={pair.left} alt={`Pair ${pair.number}, left result`} />
          <figcaption>Left</figcaption>
        </figure>
        <figure>
          <img src={pair.right} alt={`Pair ${pair.number}, right result`} />
          <figcaption>Right</figcaption>
        </figure>
      </div>
      <div class="booth-votes">
        <button
          type="button"
          class="button"
          aria-keyshortcuts="ArrowLeft"
          disabled={isBusy.value}
          onClick={() => vote('left')}
        >
          ← Left
        </button>
        <button
          type="button"
          class="button"
          aria-keyshortcuts="ArrowDown"
          disabled={isBusy.value}
          onClick={() => vote('tie')}
        >
          No difference
        </button>
        <button
          type="button"
          class="button"
          aria-keyshortcuts="ArrowRight"
          disabled={isBusy.value}
          onClick={() => vote('right')}
        >
          Right →
        </button>
      </div>
      <div class="booth-more">
        <button
          type="button"
          class="link"
          aria-keyshortcuts="Backspace"
          disabled={voted.value === 0 || isBusy.value}
          onClick={undo}
        >
          Take the last vote back
        </button>
        <button type="button" class="link" onClick={leave}>
          Pause
        </button>
      </div>
    </section>
  );
}
