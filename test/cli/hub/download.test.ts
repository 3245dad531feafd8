/** `zeroseg download`, against a stand-in for the Hugging Face Hub. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { teacher } from '@zeroseg/pretrained';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';

const repo = 'somebody/small-clip';
const commit = '0123456789abcdef0123456789abcdef01234567';
const base = await mkdtemp(join(tmpdir(), 'zeroseg-download-'));
const files = new Map<string, Uint8Array>([
  ['README.md', Buffer.from('# A small CLIP')],
  ['config.json', await readFile(teacher.config)],
  ['model.safetensors', await readFile(teacher.weights)],
  ['pytorch_model.bin', Buffer.from('PK')],
]);
const weights = files.get('model.safetensors') as Uint8Array;

/** What the stand-in does beside answering. */
let hub: {
  status?: number;
  /** Bytes of the weights after which the connection breaks off, once for each of these. */
  breaks: number[];
  /** What is added to the last byte of the weights. */
  wrong?: boolean;
  /** Sends whole files only. */
  rangeless?: boolean;
  readonly asked: string[];
};

function answer(request: IncomingMessage, response: ServerResponse): unknown {
  const { pathname } = new URL(request.url ?? '', 'http://hub');
  const json = (value: unknown, status = 200) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  if (hub.status !== undefined) return json({ error: 'no' }, hub.status);
  if (pathname.startsWith(`/api/models/${repo}/revision/`)) {
    return pathname.endsWith('/gone')
      ? json({ error: 'no such revision' }, 404)
      : json({ _id: '1', id: repo, sha: commit, siblings: [] });
  }
  if (pathname === `/api/models/${repo}/tree/${commit}`) return json([...files].map(entryOf));
  const path = pathname.split(`/${repo}/resolve/${commit}/`)[1] ?? '';
  const content = files.get(path);
  if (!content) return json({ error: 'not found' }, 404);
  const from = hub.rangeless ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  hub.asked.push(`${path} ${from}`);
  let body = Buffer.from(content.subarray(from));
  if (hub.wrong && path === 'model.safetensors') body[body.length - 1] = 1 ^ (body.at(-1) as number);
  response.writeHead(hub.rangeless ? 200 : 206, {
    'Content-Length': body.length,
    ...(!hub.rangeless && { 'Content-Range': `bytes ${from}-${content.length - 1}/${content.length}` }),
  });
  const end = path === 'model.safetensors' ? hub.breaks.shift() : undefined;
  if (end === undefined) return response.end(body);
  body = body.subarray(0, end - from);
  return response.write(body, () => setTimeout(() => response.destroy(), 20));
}

function entryOf([path, content]: [string, Uint8Array]) {
  const size = content.length;
  const git = createHash('sha1').update(`blob ${size}\0`).update(content).digest('hex');
  const lfs = { oid: createHash('sha256').update(content).digest('hex'), size, pointerSize: 130 };
  return { type: 'file', path, size, oid: git, ...(path.endsWith('.safetensors') && { lfs }) };
}

const server = createServer(answer);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(base, { recursive: true, force: true });
});
beforeEach(() => {
  hub = { breaks: [], asked: [] };
  vi.stubEnv('HF_ENDPOINT', address);
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('XDG_CACHE_HOME', join(base, 'cache'));
});
afterEach(() => vi.unstubAllEnvs());

async function download(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const [out, error]: [string[], string[]] = [[], []];
  const code = await commandLine(['download', ...args], {
    out: (line) => out.push(line),
    note: (line) => error.push(line),
  });
  const hide = (lines: string[]): string => lines.join('\n').replaceAll(base, 'BASE').replaceAll(address, 'HUB');
  return { code, out: hide(out), error: hide(error).replace(/^downloading.*\n/gm, '') };
}

test('weights and settings into a folder, with the command that comes next; again, nothing is fetched', async () => {
  const out = join(base, 'a');
  const first = await download(repo, '--out', out);
  expect([first.code, first.error]).toEqual([0, '']);
  expect(first.out.split('\n')[0]).toMatch(
    /^BASE\/a: somebody\/small-clip at 0123456789ab, 2 files, .* fetched, checked$/,
  );
  expect(first.out).toContain('zeroseg cache photos --clip BASE/a --out out/cache');
  expect((await readdir(out)).sort()).toEqual(['config.json', 'model.safetensors']);
  expect(Buffer.from(await readFile(join(out, 'model.safetensors'))).equals(weights)).toBe(true);
  hub.asked.length = 0;
  expect((await download(repo, '--out', out)).out).toMatch(/all of it was there, checked/);
  expect(hub.asked).toEqual([]);
  // A file that is not as it is on the Hub is fetched again.
  await writeFile(join(out, 'config.json'), '{}');
  await download(repo, '--out', out);
  expect(hub.asked).toEqual(['config.json 0']);
});

test('without a folder into the cache, by name and commit', async () => {
  const { out } = await download(repo);
  expect(out.split(':')[0]).toBe(`BASE/cache/zeroseg/models/somebody--small-clip/${commit}`);
});

test('without a network, what was downloaded before; of it all, and as it was', async () => {
  expect((await download(repo, '--revision', 'v1')).code).toBe(0);
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  const folder = `BASE/cache/zeroseg/models/somebody--small-clip/${commit}`;
  for (const more of [[], ['--revision', 'v1'], ['--revision', commit]]) {
    const { code, out, error } = await download(repo, ...more);
    expect([code, error]).toEqual([
      0,
      'the Hub was not reached: this is what was downloaded before, and may be older than what it has',
    ]);
    expect(out.split(';')[0]).toMatch(new RegExp(`^${folder}: somebody/small-clip at 0123456789ab, 2 files`));
  }
  // Another revision, a folder of one's own, and a file that was not fetched are not there.
  for (const more of [
    ['--revision', 'v2'],
    ['--out', join(base, 'none')],
    ['--file', 'README.md'],
  ]) {
    expect((await download(repo, ...more)).error).toMatch(/cannot be reached: there is no network/);
  }
  hub.asked.length = 0;
  vi.stubEnv('HF_ENDPOINT', address);
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  expect((await download(repo)).code).toBe(0);
  await writeFile(join(base, 'cache/zeroseg/models/somebody--small-clip', commit, 'config.json'), '{}');
  expect((await download(repo)).error).toMatchInlineSnapshot(
    `"zeroseg: download: HF_HUB_OFFLINE is set, and somebody/small-clip is not (or not whole) in BASE/cache/zeroseg/models/somebody--small-clip"`,
  );
  expect(hub.asked).toEqual([]);
});

test('goes on where a connection broke off, and where another run was stopped', async () => {
  const out = join(base, 'b');
  hub.breaks = [100_000, 200_000];
  expect((await download(repo, '--out', out)).code).toBe(0);
  const starts = hub.asked.filter((one) => one.startsWith('model')).map((one) => Number(one.split(' ')[1]));
  // What was on its way when a connection breaks off may be lost with it.
  const [begin, second = 0, third = 0] = starts;
  expect([starts.length, begin, second > 0, third > second, third <= 200_000]).toEqual([3, 0, true, true, true]);
  expect(Buffer.from(await readFile(join(out, 'model.safetensors'))).equals(weights)).toBe(true);

  const other = join(base, 'c');
  hub.breaks = Array.from({ length: 40 }, () => 50_000);
  const broken = await download(repo, '--out', other);
  expect([broken.code, broken.error]).toEqual([
    1,
    'zeroseg: download: HUB cannot be reached: there is no network, or it is blocked (HF_ENDPOINT names another address). What was downloaded is kept; the same command goes on with it',
  ]);
  hub.breaks = [];
  hub.asked.length = 0;
  expect((await download(repo, '--out', other)).code).toBe(0);
  const [only = '', ...more] = hub.asked;
  expect([more.length, /^model\.safetensors [1-9]\d{0,4}$/.test(only)]).toEqual([0, true]);
});

test('a server that knows no ranges sends it all again', async () => {
  hub.breaks = [60_000];
  hub.rangeless = true;
  expect((await download(repo, '--out', join(base, 'd'))).code).toBe(0);
  expect(hub.asked.filter((one) => one.startsWith('model'))).toEqual(['model.safetensors 0', 'model.safetensors 0']);
});

test('what did not arrive as it is there is removed', async () => {
  hub.wrong = true;
  const { code, error } = await download(repo, '--out', join(base, 'e'));
  expect([code, error]).toEqual([
    1,
    'zeroseg: download: model.safetensors did not arrive as it is at HUB (its checksum differs); it was removed, run the command again',
  ]);
  expect(await readdir(join(base, 'e'))).toEqual(['config.json']);
});

test('files by their names', async () => {
  const { code, out } = await download(repo, '--out', join(base, 'f'), '--file', 'README.md');
  expect([code, out.split('; ')[0]]).toEqual([0, 'BASE/f: somebody/small-clip at 0123456789ab, 1 file, 14 bytes']);
  expect((await download(repo, '--file', 'dino.pth')).error).toBe(
    'zeroseg: --file: somebody/small-clip has no file dino.pth; its files of weights are: model.safetensors, pytorch_model.bin',
  );
});

test.each([
  [404, 'zeroseg: download: there is no model somebody/small-clip at HUB'],
  [
    401,
    'zeroseg: download: there is no model somebody/small-clip that is given to everybody: look at HUB/somebody/small-clip; where it asks to agree to a licence, do so, and set HF_TOKEN to a token of yours',
  ],
  [429, 'zeroseg: download: HUB asks to wait: too many requests; run the command again later'],
  [503, 'zeroseg: download: HUB is out of order (status 503); run the command again later'],
])('status %i', async (status, message) => {
  hub.status = status;
  expect(await download(repo, '--out', join(base, 'g'))).toEqual({ code: 1, out: '', error: message });
});

test('no network, no such revision, no name', async () => {
  expect((await download(repo, '--revision', 'gone')).error).toBe(
    'zeroseg: download: there is no model somebody/small-clip at gone at HUB',
  );
  expect((await download('clip')).error).toMatch(
    /“clip” is no name of a model; the Hub's are like openai\/clip-vit-base-patch16$/,
  );
  vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
  expect((await download(repo)).error).toMatch(/^zeroseg: download: http:\/\/127\.0\.0\.1:9 cannot be reached/);
});
