import { useEffect } from 'preact/hooks';
import { SegmentPage } from '../segment/segment-page.tsx';
import { findGpu, support } from './gpu-state.ts';
import { Header } from './header.tsx';
import { WithoutGpu } from './without-gpu.tsx';

export function App() {
  useEffect(() => void findGpu(), []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the tool
      </a>
      <Header />
      <main id="main">
        {support.value?.isThere === false && <WithoutGpu support={support.value} />}
        {support.value && <SegmentPage />}
      </main>
    </>
  );
}
