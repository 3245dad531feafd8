/** A thread of {@link SquareThreads}: decodes photos and cuts their squares. */
import { parentPort } from 'node:worker_threads';
import { studentImage } from '@zeroseg/core/zeroseg';
import { decodePhoto } from '../photos/index.ts';
import type { AskedSquare, CutSquare } from './square-threads.ts';

parentPort?.on('message', async ({ number, bytes, path, side }: AskedSquare) => {
  let answer: CutSquare;
  try {
    // A copy: what sharp has made cannot be given away.
    answer = { number, data: new Uint8Array(studentImage(await decodePhoto(bytes, path), side).data) };
  } catch {
    answer = { number };
  }
  parentPort?.postMessage(answer, answer.data ? [answer.data.buffer] : []);
});
