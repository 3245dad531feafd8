import { CloseIcon } from '../../app/icons.tsx';
import { AddWords } from '../../picture/add-words.tsx';
import { Formula, frac, over, sub } from '../math.tsx';
import { css, segmentColour } from '../painting/colours.ts';
import { paintNamed } from '../painting/pictures.ts';
import { Square } from '../painting/square.tsx';
import { PointingButton } from '../pointing-button.tsx';
import { addWords, grouped, named, phase, setPhase, subject, words } from '../state.ts';
import { Step } from './step.tsx';

export function WordsStep() {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return null;
  return (
    <Step
      id="words"
      says={
        <>
          Words come last, and training had none. CLIP’s text encoder puts each word into the space in which the
          segments live, and a segment is called by the word that points most nearly the same way.
          {phase.value !== 'test' && (
            <>
              {' '}
              Here it has to name what was hidden in part;{' '}
              <button type="button" class="link" onClick={() => setPhase('test')}>
                show it everything
              </button>
              .
            </>
          )}
        </>
      }
      controls={<WordList />}
      formula={
        <>
          <Formula
            parts={[
              'name',
              '(',
              'i',
              ')',
              '=',
              over('argmax', 'k'),
              frac([sub('g', 'i'), '·', sub('t', 'k')], ['‖', sub('g', 'i'), '‖', '‖', sub('t', 'k'), '‖']),
            ]}
          />
          <p>The bars are these cosines. Every patch takes the name of its segment.</p>
        </>
      }
    >
      <NamedPicture />
      <NameCards />
    </Step>
  );
}

function WordList() {
  const unknown = named.value?.unknown.filter((word) => words.value.includes(word)) ?? [];
  return (
    <>
      <ul class="chips" aria-label="Words">
        {words.value.map((word) => (
          <li key={word} class={unknown.includes(word) ? 'chip is-strange' : 'chip'}>
            <span class="chip-word">{word}</span>
            <button
              type="button"
              class="chip-remove"
              aria-label={`Remove ${word}`}
              onClick={() => {
                words.value = words.value.filter((other) => other !== word);
              }}
            >
              <CloseIcon />
            </button>
          </li>
        ))}
      </ul>
      <AddWords onWords={addWords} />
      {unknown.length > 0 && (
        <p class="hint">
          This model never met {unknown.map((word) => `“${word}”`).join(', ')}: what it says of{' '}
          {unknown.length === 1 ? 'it' : 'them'} is no more than chance.
        </p>
      )}
    </>
  );
}

/** The word with the largest cosine, by segment. */
function bestWord(segment: number): { word: string; cosine: number } | undefined {
  return ranked(segment)[0];
}

function ranked(segment: number): { word: string; cosine: number }[] {
  const { value } = named;
  if (!value || value.cosines.length === 0) return [];
  const count = value.words.length;
  return value.words
    .map((word, k) => ({ word, cosine: value.cosines[segment * count + k]! }))
    .sort((a, b) => b.cosine - a.cosine);
}

function NamedPicture() {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return null;
  const all = found.segmentOf.filter((segment) => segment >= 0).length;
  return (
    <figure class="figure">
      <div class="named-picture">
        <Square paint={paintNamed} label="The picture with its segments and their names" />
        {Array.from(found.segmentSizes.keys())
          .filter((segment) => found.segmentSizes[segment]! > 0.015 * all)
          .map((segment) => {
            const best = bestWord(segment);
            const { x, y } = middleOf(found.segmentOf, segment, value.cols);
            return (
              best && (
                <span key={segment} class="name" aria-hidden="true" style={{ left: `${x}%`, top: `${y}%` }}>
                  {best.word}
                </span>
              )
            );
          })}
      </div>
      <figcaption class="hint">Segments, called by their best words</figcaption>
    </figure>
  );
}

/** The patch of a segment that is nearest to the middle of all of them, in percent of the picture. */
function middleOf(segmentOf: Int16Array, segment: number, cols: number): { x: number; y: number } {
  const own = Array.from(segmentOf.keys()).filter((patch) => segmentOf[patch] === segment);
  const places = own.map((patch) => [patch % cols, Math.floor(patch / cols)] as const);
  const mean = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis]!, 0) / places.length);
  const away = ([x, y]: readonly [number, number]): number => (x - mean[0]!) ** 2 + (y - mean[1]!) ** 2;
  const [x, y] = places.reduce((best, place) => (away(place) < away(best) ? place : best));
  // Names at the rim stay inside.
  const inside = (at: number): number => Math.max(10, Math.min(90, (100 * (at + 0.5)) / cols));
  return { x: inside(x), y: Math.max(5, Math.min(95, (100 * (y + 0.5)) / cols)) };
}

const SHOWN = 4;

function NameCards() {
  const { value: found } = grouped;
  if (!found || words.value.length === 0) return <p class="hint">Add a word or two.</p>;
  return (
    <ul class="name-cards" aria-label="Names">
      {Array.from(found.segmentSizes.keys())
        .filter((segment) => found.segmentSizes[segment]! > 0)
        .map((segment) => (
          <li key={segment}>
            <PointingButton what="segment" number={segment} class="name-card">
              <span class="name-card-title">
                <span class="swatch" style={{ background: css(segmentColour(segment)) }} />
                {bestWord(segment)?.word ?? '…'}
              </span>
              {ranked(segment)
                .slice(0, SHOWN)
                .map(({ word, cosine }) => (
                  <span key={word} class="cosine">
                    <span class="cosine-word">{word}</span>
                    <span class="cosine-bar">
                      <span
                        style={{
                          width: `${Math.max(0, Math.min(100, 100 * cosine)).toFixed(1)}%`,
                          background: css(segmentColour(segment)),
                        }}
                      />
                    </span>
                    <span class="cosine-value">{cosine.toFixed(2).replace('-0.00', '0.00')}</span>
                  </span>
                ))}
            </PointingButton>
          </li>
        ))}
    </ul>
  );
}
