import type { KnownWords } from '@zeroseg/core/zeroseg';
import { hexColour } from '@zeroseg/core/zeroseg';
import { useId } from 'preact/hooks';
import { CloseIcon } from '../app/icons.tsx';
import { AddWords } from '../picture/add-words.tsx';
import { rgb } from './colours.ts';
import type { Segmented } from './messages.ts';
import { addWords, chooseColour, colourOf, hidden, removeWord, type Side, toggleWord } from './state.ts';

/** The words of a side as chips: each with its colour, its fraction of the picture, and whether the model knows it. */
export function Words({ side, title }: { side: Side; title: string }) {
  const [heading, hint] = [useId(), useId()];
  const words = side.words.value;
  const result = side.result.value;
  const fractions = fractionsOf(side);
  const unknown = result?.unknown.filter(({ name }) => words.includes(name)) ?? [];
  return (
    <section class="card" aria-labelledby={heading}>
      <h2 id={heading} class="card-title">
        {title}
      </h2>
      <ul class="chips" aria-label={title}>
        {words.map((word) => (
          <Chip
            key={word}
            side={side}
            word={word}
            fraction={fractions.get(word)}
            isStrange={unknown.some(({ name }) => name === word)}
          />
        ))}
      </ul>
      <AddWords
        hint={hint}
        onWords={(more) => addWords(side, more)}
        onTakeBack={() => words.length > 0 && removeWord(side, words.at(-1) as string)}
      />
      <p id={hint} class="hint">
        {words.length < 2
          ? 'Every pixel gets the word that fits best, so give at least two.'
          : 'Every pixel gets the word of these that fits best.'}
      </p>
      {unknown.length > 0 && <Unknown side={side} unknown={unknown} />}
      {result?.known && <Known side={side} known={result.known} />}
    </section>
  );
}

interface ChipProps {
  readonly side: Side;
  readonly word: string;
  readonly fraction: number | undefined;
  readonly isStrange: boolean;
}

function Chip({ side, word, fraction, isStrange }: ChipProps) {
  const isHidden = hidden.value.has(word);
  return (
    <li class={['chip', isHidden && 'is-hidden', isStrange && 'is-strange'].filter(Boolean).join(' ')}>
      <input
        type="color"
        class="swatch"
        aria-label={`Colour of ${word}`}
        title={`Colour of ${word}`}
        value={hexColour(colourOf(word))}
        onInput={(event) => chooseColour(word, rgb(event.currentTarget.value))}
      />
      <button
        type="button"
        class="chip-toggle"
        aria-pressed={!isHidden}
        title={isHidden ? `Show ${word}` : `Hide ${word}`}
        onClick={() => toggleWord(word)}
      >
        {word}
        {fraction !== undefined && (
          <span class="chip-fraction">{fraction < 0.005 ? '0' : Math.round(100 * fraction)} %</span>
        )}
      </button>
      <button type="button" class="chip-remove" aria-label={`Remove ${word}`} onClick={() => removeWord(side, word)}>
        <CloseIcon />
      </button>
    </li>
  );
}

/** Words that the model was not taught, with the nearest that it was: a click takes one in its place. */
function Unknown({ side, unknown }: { side: Side; unknown: Segmented['unknown'] }) {
  return (
    <div class="notice">
      {unknown.map(({ name, suggestions }) => (
        <p key={name}>
          This model never met “{name}”{suggestions.length > 0 ? '; did you mean ' : ': it says no more than chance.'}
          {suggestions.map((suggestion, i) => (
            <span key={suggestion}>
              {i > 0 && ', '}
              <button
                type="button"
                class="link"
                onClick={() => {
                  removeWord(side, name);
                  addWords(side, [suggestion]);
                }}
              >
                {suggestion}
              </button>
            </span>
          ))}
          {suggestions.length > 0 && '?'}
        </p>
      ))}
    </div>
  );
}

/** What a model was taught, to be added by a click. */
function Known({ side, known }: { side: Side; known: KnownWords }) {
  const words = [...Object.keys(known.objects), ...Object.keys(known.grounds)];
  return (
    <details class="known">
      <summary>{words.length} words that this model knows</summary>
      <ul class="known-list">
        {words
          .filter((word) => !side.words.value.includes(word))
          .map((word) => (
            <li key={word}>
              <button type="button" class="known-word" onClick={() => addWords(side, [word])}>
                {word}
              </button>
            </li>
          ))}
      </ul>
    </details>
  );
}

/** Fraction of the picture by word, in a result of these words. */
function fractionsOf({ result: { value } }: Side): Map<string, number> {
  if (!value) return new Map();
  const { names, counts, labels } = value;
  return new Map(names.slice(1).map((name, i) => [name, counts[i + 1]! / labels.data.length]));
}
