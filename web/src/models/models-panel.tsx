import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Dialog } from '../app/dialog.tsx';
import { pickedFiles } from '../app/visitor-files.ts';
import { sizeText } from './file-sizes.ts';
import type { Copying, ModelChoice, ShelfModel, Unfinished } from './messages.ts';
import {
  addModels,
  choiceBy,
  copies,
  downloadModel,
  isOpen,
  keepModel,
  lookAtShelf,
  lookAtSpace,
  problems,
  protect,
  removeModel,
  shelf,
  space,
  stopCopy,
} from './state.ts';

interface PanelProps {
  /** Called with the way to segment by a model that was just added. */
  readonly onAdded: (choice: ModelChoice) => void;
}

/** The visitor's models: which there are, where they are, and how others come here. */
export function ModelsPanel({ onAdded }: PanelProps) {
  useEffect(() => {
    void lookAtShelf();
    void lookAtSpace();
  }, []);
  const { models = [], unfinished = [] } = shelf.value ?? {};
  const take = (ids: readonly string[]): void => {
    const choice = choiceBy(ids);
    if (choice) onAdded(choice);
  };
  return (
    <Dialog title="Models" onClose={() => (isOpen.value = false)}>
      <div class="models">
        <ul class="model-list" aria-label="Models">
          {models.map((model) => (
            <Model key={model.id} model={model} />
          ))}
          {unfinished
            .filter(({ id }) => !copies.value.has(id))
            .map((part) => (
              <Part key={part.id} part={part} />
            ))}
          {[...copies.value]
            .filter(([id]) => !models.some((model) => model.id === id))
            .map(([id, copying]) => (
              <li key={id} class="model">
                <div>
                  <p class="model-name">{copying.name}</p>
                  <CopyProgress id={id} copying={copying} />
                </div>
              </li>
            ))}
        </ul>
        {problems.value.length > 0 && (
          <div class="notice notice-problem" role="alert">
            {problems.value.map((text) => (
              <p key={text}>{text}</p>
            ))}
          </div>
        )}
        <AddFiles onAdded={take} />
        <FromHub onAdded={take} />
        <SpaceLine />
      </div>
    </Dialog>
  );
}

const kinds = { zeroseg: 'ZeroSeg', groupvit: 'GroupViT', segclip: 'SegCLIP', clip: 'CLIP' } as const;
const places = { page: 'part of the page', kept: 'kept in this browser', visit: 'for this visit' } as const;

function Model({ model }: { model: ShelfModel }) {
  const { id, name, place, bytes, facts, problem, hub } = model;
  const copying = copies.value.get(id);
  const pairing = shelf.value?.choices.find((choice) => choice.id === id && choice.problem !== undefined)?.problem;
  return (
    <li class="model">
      <div>
        <p class="model-name">{name}</p>
        <p class="hint">
          {[
            facts && kinds[facts.kind],
            bytes > 0 && sizeText(bytes),
            places[place],
            hub && `revision ${hub.revision.slice(0, 7)}`,
          ]
            .filter(Boolean)
            .join(' · ')}
        </p>
        {(problem ?? pairing) && <p class="model-problem">{problem ?? pairing}</p>}
        {copying && <CopyProgress id={id} copying={copying} />}
      </div>
      {place !== 'page' && !copying && (
        <div class="model-actions">
          {place === 'visit' && (
            <button type="button" class="button" onClick={() => void keepModel(id, name)} aria-label={`Keep ${name}`}>
              Keep
            </button>
          )}
          <button type="button" class="button" onClick={() => void removeModel(id)} aria-label={`Delete ${name}`}>
            {place === 'visit' ? 'Close' : 'Delete'}
          </button>
        </div>
      )}
    </li>
  );
}

/** A download that was interrupted. */
function Part({ part: { id, repo, done, bytes } }: { part: Unfinished }) {
  return (
    <li class="model">
      <div>
        <p class="model-name">{repo}</p>
        <p class="hint">
          {sizeText(done)} of {sizeText(bytes)} downloaded
        </p>
      </div>
      <div class="model-actions">
        <button
          type="button"
          class="button"
          onClick={() => void downloadModel(repo, id)}
          aria-label={`Go on with ${repo}`}
        >
          Go on
        </button>
        <button type="button" class="button" onClick={() => void removeModel(id)} aria-label={`Delete ${repo}`}>
          Delete
        </button>
      </div>
    </li>
  );
}

const doings: Readonly<Record<Copying['what'], string>> = {
  asking: 'Looking at it',
  copying: 'Copying',
  downloading: 'Downloading',
  checking: 'Checking',
};

function CopyProgress({ id, copying: { what, done, bytes } }: { id: string; copying: Copying }) {
  const isCounted = bytes > 0 && what !== 'checking';
  return (
    <div class="copying">
      <progress aria-label={doings[what]} {...(isCounted && { value: done, max: bytes })} />
      <span class="hint">
        {doings[what]}
        {isCounted ? ` ${sizeText(done)} of ${sizeText(bytes)}` : ' …'}
      </span>
      <button type="button" class="link" onClick={() => stopCopy(id)}>
        Stop
      </button>
    </div>
  );
}

function AddFiles({ onAdded }: { onAdded: (ids: readonly string[]) => void }) {
  const [files, folder] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  const take = async (input: HTMLInputElement): Promise<void> => {
    const given = pickedFiles(input.files ?? []);
    input.value = '';
    if (given.length > 0) onAdded((await addModels(given)).ids);
  };
  return (
    <section class="models-add" aria-label="Your own models">
      <h3>Your own</h3>
      <p class="hint">
        A ZeroSeg model (<code>.safetensors</code>, as <code>zeroseg train</code> writes it) or a CLIP’s folder with its{' '}
        <code>config.json</code>; or drop them anywhere on the page. Nothing is uploaded.
      </p>
      <div class="models-row">
        <button type="button" class="button button-strong" onClick={() => folder.current?.click()}>
          A folder …
        </button>
        <button type="button" class="button" onClick={() => files.current?.click()}>
          Files …
        </button>
      </div>
      <input
        ref={files}
        type="file"
        multiple
        class="visually-hidden"
        tabIndex={-1}
        aria-label="Files of a model"
        onChange={(event) => void take(event.currentTarget)}
      />
      <input
        ref={(element) => {
          // Not among the attributes that Preact knows.
          element?.setAttribute('webkitdirectory', '');
          folder.current = element;
        }}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        aria-label="Folder of a model"
        onChange={(event) => void take(event.currentTarget)}
      />
    </section>
  );
}

function FromHub({ onAdded }: { onAdded: (ids: readonly string[]) => void }) {
  const name = useSignal('');
  const field = useId();
  const download = async (): Promise<void> => {
    const repo = name.value.trim();
    if (repo === '' || [...copies.value.values()].some((copy) => copy.name === repo)) return;
    const id = await downloadModel(repo);
    if (id === undefined) return;
    name.value = '';
    onAdded([id]);
  };
  return (
    <section class="models-add" aria-label="From Hugging Face">
      <h3>
        <label for={field}>From Hugging Face</label>
      </h3>
      <p class="hint">
        A CLIP by its name. Only now does this page ask another server, huggingface.co; what comes is kept in this
        browser.
      </p>
      <form
        class="models-row"
        onSubmit={(event) => {
          event.preventDefault();
          void download();
        }}
      >
        <input
          id={field}
          class="field"
          placeholder="openai/clip-vit-base-patch16"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
        <button type="submit" class="button">
          Download
        </button>
      </form>
    </section>
  );
}

/** How much room there is, and whether the browser may clear it. */
function SpaceLine() {
  if (!space.value || space.value.quota === 0) return null;
  const { taken, quota, isProtected } = space.value;
  return (
    <p class="hint models-space">
      This site takes {sizeText(taken)} of the {sizeText(quota)} that the browser gives it.{' '}
      {isProtected ? (
        'The browser will not clear it.'
      ) : (
        <>
          The browser may clear it when the disk is full.{' '}
          <button type="button" class="link" onClick={() => void protect()}>
            Protect it
          </button>
        </>
      )}
    </p>
  );
}
