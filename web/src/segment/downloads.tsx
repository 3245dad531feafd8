import { useSignal } from '@preact/signals';
import { DownloadIcon } from '../app/icons.tsx';
import { save } from '../app/save.ts';
import { css } from './colours.ts';
import type { ExportKind } from './messages.ts';
import { colourOf, exportFile, first, hidden, photo } from './state.ts';

const files: readonly { kind: ExportKind; title: string; ending: string; hint: string }[] = [
  { kind: 'overlay', title: 'Picture', ending: 'overlay.png', hint: 'PNG with names and legend' },
  { kind: 'labels', title: 'Label map', ending: 'labels.png', hint: 'PNG: grey value n is the n-th word' },
  { kind: 'json', title: 'Regions', ending: 'json', hint: 'JSON: boxes, run lengths (COCO), polygons' },
];

/** What can be taken along, at the photo's full size. */
export function Downloads() {
  const busy = useSignal<string | undefined>(undefined);
  const result = first.result.value;
  if (!result) return null;
  const words = result.names
    .map((name, label) => ({ name, label }))
    .filter(({ name, label }) => label > 0 && result.counts[label]! > 0 && !hidden.value.has(name));
  const download = async (kind: ExportKind, ending: string, label?: number): Promise<void> => {
    busy.value = ending;
    const blob = await exportFile(kind, label);
    busy.value = undefined;
    if (blob) save(blob, `${(photo.peek()?.name ?? 'picture').replace(/\.\w+$/, '')}.${ending}`);
  };
  return (
    <section class="card" aria-labelledby="downloads">
      <h2 id="downloads" class="card-title">
        Take along
      </h2>
      <ul class="downloads">
        {files.map(({ kind, title, ending, hint }) => (
          <li key={kind}>
            <button
              type="button"
              class="button"
              title={hint}
              disabled={busy.value !== undefined}
              onClick={() => void download(kind, ending)}
            >
              <DownloadIcon />
              {title}
            </button>
          </li>
        ))}
      </ul>
      <div class="cutouts">
        <h3 class="hint">Cut out, the rest transparent</h3>
        <ul class="known-list">
          {words.map(({ name, label }) => (
            <li key={name}>
              <button
                type="button"
                class="known-word"
                aria-label={`Cut out ${name}`}
                disabled={busy.value !== undefined}
                onClick={() => void download('cutout', `${name.replace(/\s+/g, '-')}.png`, label)}
              >
                <span class="swatch" style={{ background: css(colourOf(name)) }} />
                {name}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}
