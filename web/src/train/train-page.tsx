import { useEffect } from 'preact/hooks';
import { address } from '../app/address.ts';
import { followDrops } from '../app/visitor-files.ts';
import '../styles/train.css';
import { Curves } from './curves/curves.tsx';
import { ThisRun } from './finish.tsx';
import { folderOfDrop } from './folder.ts';
import { RunList } from './run-list.tsx';
import { Samples } from './samples.tsx';
import { Setup, takeFolder } from './setup.tsx';
import { problem } from './state/asking.ts';
import { readLink } from './state/next-run.ts';
import { leaveRun, nameRun, openRun, run, saveSoon, startTraining } from './state/open-run.ts';
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
    const stopDropping = followDrops(document.body, takeDrop);
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

/** Takes folders of photos that are dropped. */
function takeDrop(dropped: DataTransfer): boolean {
  if (dropped.items.length === 0) return false;
  void folderOfDrop(dropped).then(takeFolder);
  return true;
}
