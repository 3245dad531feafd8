/** Keeps the page's own files, so that it opens without a network. Nothing else passes through here. */

/** What a service worker has and a page's types lack. */
interface ServiceWorker {
  addEventListener(
    type: 'install' | 'activate',
    heard: (event: { waitUntil(work: Promise<unknown>): void }) => void,
  ): void;
  addEventListener(
    type: 'fetch',
    heard: (event: { readonly request: Request; respondWith(response: Promise<Response>): void }) => void,
  ): void;
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}

/** Filled in by the build: the files of the page, and a hash of them all. */
declare const PAGE_FILES: readonly string[];
declare const PAGE_VERSION: string;

const worker = globalThis as unknown as ServiceWorker;
const cacheName = `zeroseg-page-${PAGE_VERSION}`;

async function keepFiles(): Promise<void> {
  const cache = await caches.open(cacheName);
  await cache.addAll(PAGE_FILES.map((file) => new URL(file, worker.registration.scope).href));
  await worker.skipWaiting();
}

async function dropOld(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith('zeroseg-page-') && name !== cacheName) await caches.delete(name);
  }
  await worker.clients.claim();
}

/** The document comes from the network while there is one, so that a new version is seen; all else as it was kept. */
async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  if (request.mode === 'navigate') {
    try {
      return await fetch(request);
    } catch (error) {
      const kept = await cache.match(worker.registration.scope);
      if (kept) return kept;
      throw error;
    }
  }
  return (await cache.match(request)) ?? fetch(request);
}

worker.addEventListener('install', (event) => event.waitUntil(keepFiles()));
worker.addEventListener('activate', (event) => event.waitUntil(dropOld()));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const isOwn = request.url.startsWith(worker.registration.scope);
  if (isOwn && request.method === 'GET') event.respondWith(answer(request));
});
