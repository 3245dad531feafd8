import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { followAddress } from './address.ts';
import { findGpu, support } from './gpu-state.ts';
import { Header } from './header.tsx';
import { openTool, type Tool } from './tools.ts';
import { WithoutGpu } from './without-gpu.tsx';

export function App() {
  useEffect(() => {
    followAddress();
    void findGpu();
  }, []);
  const tool = openTool.value;
  const withoutGpu = tool.usesGpu !== false && support.value?.isThere === false ? support.value : undefined;
  return (
    <>
      <a class="skip" href="#main">
        Skip to the tool
      </a>
      <Header />
      <main id="main">
        {withoutGpu && <WithoutGpu support={withoutGpu} tool={tool} />}
        {support.value && (!withoutGpu || tool.worksWithoutGpu) && <ToolPage key={tool.id} tool={tool} />}
      </main>
    </>
  );
}

/** A tool, once its code is here. */
function ToolPage({ tool }: { tool: Tool }) {
  const loaded = tool.load();
  const [Page, setPage] = useState<ComponentType | undefined>(() => (loaded instanceof Promise ? undefined : loaded));
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    if (!(loaded instanceof Promise)) return;
    loaded.then(
      (page) => setPage(() => page),
      () => setMissing(true),
    );
  }, []);
  if (isMissing) {
    return (
      <p class="notice notice-problem" role="alert">
        {tool.title} could not be loaded: no network, or the page has changed since it was opened. Reload it.
      </p>
    );
  }
  return Page ? <Page /> : null;
}
