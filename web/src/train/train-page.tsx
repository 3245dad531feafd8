import { useEffect } from 'preact/hooks';
import { address } from '../app/address.ts';
import '../styles/train.css';
import { Curves } from './curves.tsx';
import { ThisRun } from './finish.tsx';
import { folderOfDrop } from './folder.ts';
import { RunList } from './run-list.tsx';
import { Samples } from './samples.tsx';
import { Setup, takeFolder } from './setup.tsx';
import { leaveRun, nameRun, openRun, problem, readLink, run, saveSoon, startTraining } from './state.ts';
import { Transport } from './transport.tsx';

export function TrainPage() {
  useEffect(() => {
    void startTraining();
    const saveWhenHidden = (): void => {
      if (document.visibilityState === 'hidden') void saveSoon();
    };
    const follow = (): void => {
      const { id: tool, parameters } = address.peek();
      if (tool !== 'train') return;
      const id = parameters.get('run');
      if (parameters.size === 0) nameRun();
      else if (id === null) void leaveRun().then(readLink);
      else if (id !== run.peek()?.id) void openRun(id);
    };
    document.addEventListener('visibilitychange', saveWhenHidden);
    addEventListener('pagehide', saveWhenHidden);
    addEventListener('hashchange', follow);
    const stopDropping = dropFolders(document.body);
    return () => {
      document.removeEventListener('visibilitychange', saveWhenHidden);
      removeEventListener('pagehide', saveWhenHidden);
      removeEventListener('hashchange', follow);
      stopDropping();
    };
  }, []);
  return (
    <div class={run.value ? 'train' : 'train is-idle'}>
      <section class="train-main" aria-label="The student">
        <Transport />
        <div class="train-sight">
          <Samples />
          <Curves />
        </div>
      </section>
      <aside class="train-panel" aria-label="Settings and runs">
        {problem.value && (
          <p class="notice notice-problem" role="alert">
            {problem}
          </p>
        )}
        {run.value ? <ThisRun /> : <Setup />}
        <RunList />
      </aside>
    </div>
  );
}

function dropFolders(element: HTMLElement): () => void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    element.classList.add('is-dropping');
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) element.classList.remove('is-dropping');
  };
  const drop = (event: DragEvent): void => {
    element.classList.remove('is-dropping');
    if (!event.dataTransfer?.items.length) return;
    event.preventDefault();
    void folderOfDrop(event.dataTransfer.items).then(takeFolder);
  };
  element.addEventListener('dragover', over);
  element.addEventListener('dragleave', leave);
  element.addEventListener('drop', drop);
  return () => {
    element.removeEventListener('dragover', over);
    element.removeEventListener('dragleave', leave);
    element.removeEventListener('drop', drop);
  };
}
