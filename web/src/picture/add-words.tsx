import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';

/** Words out of what was typed: parted by commas, semicolons or lines. */
function wordsOf(text: string): string[] {
  return text
    .split(/[,;\n]/)
    .map((word) => word.trim().replace(/\s+/g, ' ').toLowerCase())
    .filter((word) => word !== '');
}

interface AddWordsProps {
  readonly onWords: (words: readonly string[]) => void;
  /** Backspace in the empty field. */
  readonly onTakeBack?: () => void;
  /** What is said below, by its id. */
  readonly hint?: string;
}

/** A field for more words of a picture; what stands before a comma is taken while one types. */
export function AddWords({ onWords, onTakeBack, hint }: AddWordsProps) {
  const typed = useSignal('');
  const field = useId();
  const add = (text: string): void => {
    onWords(wordsOf(text));
    typed.value = '';
  };
  return (
    <form
      class="add-words"
      onSubmit={(event) => {
        event.preventDefault();
        add(typed.value);
      }}
    >
      <label class="visually-hidden" for={field}>
        Add words
      </label>
      <input
        id={field}
        class="field"
        placeholder="Add words: dog, wet grass …"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        value={typed.value}
        aria-describedby={hint}
        onInput={(event) => {
          const { value } = event.currentTarget;
          if (/[,;]\s*$/.test(value)) add(value);
          else typed.value = value;
        }}
        onKeyDown={(event) => {
          if (event.key === 'Backspace' && typed.value === '') onTakeBack?.();
        }}
      />
      <button type="submit" class="button">
        Add
      </button>
    </form>
  );
}
