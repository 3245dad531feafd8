import { steps } from './order.ts';
import { Square } from './painting/square.tsx';

/** All steps as a strip of live pictures: a slider further down is seen at work in every one that follows. */
export function Overview() {
  return (
    <nav class="strip" aria-label="Steps">
      <ol>
        {steps.map(({ id, title, paint }, i) => (
          <li key={id}>
            <a
              href={`#how?step=${id}`}
              class="strip-link"
              onClick={(event) => {
                event.preventDefault();
                showStep(id);
              }}
            >
              <Square paint={paint} points={false} />
              <span>
                <span class="strip-number">{i + 1}</span> {title}
              </span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** Brings a step into view. */
export function showStep(id: string): void {
  const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';
  document.getElementById(`step-${id}`)?.scrollIntoView({ behavior, block: 'start' });
}
