import type { Library } from '../peer.mjs';

export function open(options: { adapter?: string; zeroseg: object }): Promise<Library>;
