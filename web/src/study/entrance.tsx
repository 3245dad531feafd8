import { useRef } from 'preact/hooks';
import { UploadIcon } from '../app/icons.tsx';
import { pickedFiles } from '../app/visitor-files.ts';
import { sampleStudy } from './sample.ts';
import { choose, forget, isBusy, kept, openFolder } from './state.ts';

const commands = `zeroseg segment photos --classes "cat, grass" --model out/run --out out/ours
zeroseg segment photos --classes "cat, grass" --model built-in --out out/theirs
zeroseg study out/ours out/theirs --out out/study`;

/** Where a study is opened: from a folder, or one that is kept here. */
export function Entrance() {
  const input = useRef<HTMLInputElement>(null);
  const take = (files: FileList | null) => {
    const given = pickedFiles(files ?? []);
    if (given.length > 0) void openFolder(given);
  };
  return (
    <>
      <header class="study-head">
        <h2>Which of two results do people prefer?</h2>
        <p class="study-intro">
          Two models, or two lists of words, side by side: without their names, in an order and on sides that a seed
          shuffles. Five people give each picture a vote, as in the paper’s Table 2. Pictures and votes stay in this
          browser.
        </p>
        <div class="study-actions">
          <button
            type="button"
            class="button button-strong"
            disabled={isBusy.value}
            onClick={() => input.current?.click()}
          >
            <UploadIcon />
            Open a study folder
          </button>
          <button type="button" class="button" disabled={isBusy.value} onClick={() => void openFolder(sampleStudy())}>
            Try a small one
          </button>
          <input
            ref={input}
            type="file"
            hidden
            multiple
            // @ts-expect-error: a whole folder; every browser has it, and no standard
            webkitdirectory
            aria-label="Study folder"
            onChange={(event) => {
              take(event.currentTarget.files);
              event.currentTarget.value = '';
            }}
          />
          {isBusy.value && (
            <p class="progress" role="status">
              <span class="spinner" aria-hidden="true" />
              Reading …
            </p>
          )}
        </div>
        <p class="hint">
          Or drop a folder anywhere on the page. The small one has eight drawn scenes, named by the student that this
          page brings and by the CLIP that taught it.
        </p>
      </header>
      {kept.value && kept.value.length > 0 && (
        <section class="card" aria-labelledby="kept">
          <h3 class="card-title" id="kept">
            Kept in this browser
          </h3>
          <ul class="kept-list">
            {kept.value.map((one) => (
              <li key={one.id}>
                <span class="kept-facts">
                  <strong>{one.question}</strong>
                  <span class="hint">
                    {one.pictures} pairs, {one.voters.length} of {one.votes} voters
                  </span>
                </span>
                <button type="button" class="button" onClick={() => choose(one)}>
                  Open
                </button>
                <button
                  type="button"
                  class="button"
                  disabled={isBusy.value}
                  onClick={() => {
                    const votes = one.voters.reduce((sum, voter) => sum + voter.votes, 0);
                    if (votes === 0 || confirm(`Remove this study, and ${votes} votes with it?`)) void forget(one.id);
                  }}
                >
                  Remove
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section class="card" aria-labelledby="making">
        <h3 class="card-title" id="making">
          How a study is made
        </h3>
        <p class="hint">
          On the command line, from a folder of photos that was segmented twice. Folders of any pictures with the same
          names will do, too.
        </p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
        <pre class="commands" tabIndex={0}>
          <code>{commands}</code>
        </pre>
        <p class="hint">
          Votes are downloaded as JSON; <code>zeroseg study --tally votes-*.json</code> counts those of all voters.
        </p>
      </section>
    </>
  );
}
