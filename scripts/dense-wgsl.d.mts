export function holdsWgsl(file: string): boolean;
export function denseWgsl(code: string): string;
