/** Counts what passes through the prototypes of these classes of WebGPU. */
export function countCalls(classes: unknown): void;
