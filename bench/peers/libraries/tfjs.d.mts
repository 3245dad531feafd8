import type { Library } from '../peer.mjs';

export function open(): Promise<Library>;
