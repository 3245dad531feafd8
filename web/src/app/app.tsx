import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { engine } from '../engine/client.ts';
import type { GpuFacts } from '../engine/gpu.ts';
import { SegmentPage } from '../segment/segment-page.tsx';
import { Header } from './header.tsx';
import { findSupport, type Support } from './support.ts';
import { WithoutGpu } from './without-gpu.tsx';

export function App() {
  const support = useSignal<Support | undefined>(undefined);
  const gpu = useSignal<GpuFacts | undefined>(undefined);
  useEffect(() => {
    void findSupport().then(async (found) => {
      support.value = found;
      if (found.isThere) gpu.value = await engine.gpu.facts().catch(() => undefined);
    });
  }, []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the tool
      </a>
      <Header gpu={gpu.value} />
      <main id="main">
        {support.value?.isThere === false && <WithoutGpu support={support.value} />}
        {support.value?.isThere && <SegmentPage />}
      </main>
    </>
  );
}
