import { ownValue, shownValue } from '@zeroseg/core/internal';
import { FixtureError } from './report.ts';

/** A JSON object whose fields are asked for by name and kind. What nobody asked for can be listed. */
export class Fields {
  readonly where: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #used = new Set<string>();

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new FixtureError(`${where} must be an object; got ${shownValue(value)}`);
    }
    this.where = where;
    this.#fields = value as Record<string, unknown>;
  }

  has(name: string): boolean {
    return (ownValue(this.#fields, name) ?? null) !== null;
  }

  keys(): string[] {
    return Object.keys(this.#fields);
  }

  /** The value as it is. Marks it as used. */
  raw(name: string): unknown {
    this.#used.add(name);
    return ownValue(this.#fields, name);
  }

  number(name: string): number {
    return this.#kind(name, 'a number', (v) => typeof v === 'number' && Number.isFinite(v));
  }

  whole(name: string): number {
    return this.#kind(name, 'a whole number', (v) => Number.isInteger(v));
  }

  flag(name: string): boolean {
    return this.#kind(name, 'true or false', (v) => typeof v === 'boolean');
  }

  text(name: string): string {
    return this.#kind(name, 'a string', (v) => typeof v === 'string');
  }

  choice<const T extends string>(name: string, allowed: readonly T[]): T {
    return this.#kind(name, `one of ${allowed.join(', ')}`, (v) => allowed.includes(v as T));
  }

  numbers(name: string): number[] {
    return this.#kind(name, 'a list of numbers', (v) => Array.isArray(v) && v.every((n) => typeof n === 'number'));
  }

  list(name: string): unknown[] {
    return this.#kind(name, 'a list', Array.isArray);
  }

  object(name: string): Fields {
    return new Fields(this.raw(name), `${this.where}: '${name}'`);
  }

  /** @throws FixtureError when a field was never asked for: nothing is skipped. */
  complainAboutUnused(): void {
    const unknown = Object.keys(this.#fields).filter((name) => !this.#used.has(name));
    if (unknown.length > 0) {
      throw new FixtureError(`${this.where} has ${unknown.map((name) => `'${name}'`).join(', ')}, which is not known`);
    }
  }

  #kind<T>(name: string, words: string, fits: (value: unknown) => boolean): T {
    const value = this.raw(name);
    if (!fits(value)) {
      throw new FixtureError(`${this.where}: '${name}' must be ${words}; got ${shownValue(value)}`);
    }
    return value as T;
  }
}
