import { useId } from 'preact/hooks';
import { DiceIcon } from '../app/icons.tsx';

interface SliderProps {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly value: number;
  /** The value in words. */
  readonly says: string;
  readonly onValue: (value: number) => void;
}

export function Slider({ label, min, max, step, value, says, onValue }: SliderProps) {
  const id = useId();
  return (
    <div class="turn">
      <label for={id}>{label}</label>
      <output for={id}>{says}</output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={says}
        onInput={(event) => onValue(Number(event.currentTarget.value))}
      />
    </div>
  );
}

export function Roll({ label, onRoll }: { label: string; onRoll: () => void }) {
  return (
    <button type="button" class="button" onClick={onRoll}>
      <DiceIcon />
      {label}
    </button>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, title: string])[];
  readonly value: T | undefined;
  readonly onValue: (value: T) => void;
}

/** A few options side by side, of which one holds. */
export function Choice<T extends string>({ label, options, value, onValue }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend class="visually-hidden">{label}</legend>
      {options.map(([option, title]) => (
        <button
          key={option}
          type="button"
          class="choice-option"
          aria-pressed={value === option}
          onClick={() => onValue(option)}
        >
          {title}
        </button>
      ))}
    </fieldset>
  );
}
