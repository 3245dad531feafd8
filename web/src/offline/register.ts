/** Keeps the built page for later visits without a network. Where that is refused, it works as before. */
export function keepPage(): void {
  if (import.meta.env.MODE !== 'production' || !('serviceWorker' in navigator)) return;
  addEventListener('load', () => void navigator.serviceWorker.register('./service-worker.js').catch(() => undefined));
}
