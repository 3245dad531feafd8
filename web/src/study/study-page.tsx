import { useEffect } from 'preact/hooks';
import { droppedEntries, filesOf, followDrops } from '../app/visitor-files.ts';
import { Entrance } from './entrance.tsx';
import { Reception } from './reception.tsx';
import { openFolder, pair, problem, start, study, voter } from './state.ts';
import './study.css';
import { Thanks } from './thanks.tsx';
import { VotingBooth } from './voting-booth.tsx';

/** Which of two results people prefer, blind: the paper's Table 2 for anybody. */
export function StudyPage() {
  useEffect(() => {
    void start();
    return followDrops(document.body, (dropped) => {
      const entries = droppedEntries(dropped);
      // Who votes is not disturbed.
      if (entries.length > 0 && voter.peek() === undefined) void openFolder(filesOf(entries));
      return true;
    });
  }, []);
  return (
    <div class="study">
      {problem.value && (
        <p class="notice notice-problem" role="alert">
          {problem.value}
        </p>
      )}
      <Stage />
    </div>
  );
}

function Stage() {
  if (!study.value) return <Entrance />;
  if (voter.value === undefined) return <Reception study={study.value} />;
  return pair.value ? (
    <VotingBooth study={study.value} pair={pair.value} />
  ) : (
    <Thanks study={study.value} voter={voter.value} />
  );
}
