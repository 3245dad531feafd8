import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ModelChoice } from './messages.ts';
import { isOpen, problems } from './state.ts';

type PanelType = ComponentType<{ onAdded: (choice: ModelChoice) => void }>;

/** The panel with the visitor's models, while it is open; its code comes when it is first asked for. */
export function OpenModelsPanel({ onAdded }: { onAdded: (choice: ModelChoice) => void }) {
  const panel = useSignal<{ readonly Panel: PanelType } | undefined>(undefined);
  const isWanted = isOpen.value;
  useEffect(() => {
    if (!isWanted || panel.peek()) return;
    import('./models-panel.tsx').then(
      ({ ModelsPanel }) => {
        panel.value = { Panel: ModelsPanel };
      },
      () => {
        isOpen.value = false;
        problems.value = ['The list of models could not be loaded: no network, or the page has changed. Reload it.'];
      },
    );
  }, [isWanted]);
  const { Panel } = panel.value ?? {};
  return isWanted && Panel ? <Panel onAdded={onAdded} /> : null;
}
