import { useEffect, useRef } from 'preact/hooks';
import type { StudyFacts } from './messages.ts';
import { download, leave, undo } from './state.ts';

/** The end of a sitting. */
export function Thanks({ study, voter }: { study: StudyFacts; voter: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <header class="study-head">
      <h2 tabIndex={-1} ref={heading}>
        Thank you, {voter}
      </h2>
      <p class="study-intro">All {study.pictures} pairs have your vote.</p>
      <div class="study-actions">
        <button type="button" class="button button-strong" onClick={() => download(voter)}>
          Download your votes
        </button>
        <button type="button" class="button" onClick={leave}>
          Next voter, or the count
        </button>
        <button type="button" class="link" onClick={undo}>
          Take the last vote back
        </button>
      </div>
    </header>
  );
}
