import { gpu } from './gpu-state.ts';
import { ChipIcon, Mark, ThemeIcon } from './icons.tsx';
import { nextTheme, theme } from './theme.ts';
import { openTool, tools } from './tools.ts';

export function Header() {
  const facts = gpu.value;
  return (
    <header class="header">
      <a class="brand" href="./">
        <Mark />
        <h1>ZeroSeg</h1>
      </a>
      {tools.length > 1 ? (
        <nav class="tools" aria-label="Tools">
          {tools.map(({ id, title }) => (
            <a key={id} href={`#${id}`} {...(openTool.value.id === id && { 'aria-current': 'page' as const })}>
              {title}
            </a>
          ))}
        </nav>
      ) : (
        <p class="tagline">Say what you look for; every pixel gets the word that fits it best.</p>
      )}
      {facts && (
        <p
          class="gpu"
          title={facts.isSoftware ? 'No GPU was found: the processor stands in for it, slowly' : 'Computes on this GPU'}
        >
          <ChipIcon />
          <span>{facts.isSoftware ? `${shortName(facts.name)}, on the processor` : shortName(facts.name)}</span>
        </p>
      )}
      <button
        type="button"
        class="icon-button"
        aria-label={`Colours: ${theme.value}`}
        title={`Colours: ${theme.value}`}
        onClick={nextTheme}
      >
        <ThemeIcon />
      </button>
    </header>
  );
}

/** Without versions and what drivers add. */
function shortName(name: string): string {
  return name.replace(/\s*\(.*$/, '').slice(0, 40);
}
