/** What `zeroseg info` says of something. */
export interface Info {
  /** What it is: `model`, `CLIP`, `run`, … */
  readonly kind: string;
  readonly place: string;
  /** What matters of it, in the order in which it is told. */
  readonly facts: Readonly<Record<string, Fact>>;
  /** What it is for: the commands that take it. */
  readonly uses: readonly Use[];
}

/** Numbers have their unit in their name, but for bytes, which end in `bytes`. */
export type Fact = string | number | boolean | null | readonly (string | number)[] | { readonly [key: string]: Fact };

export interface Use {
  readonly for: string;
  readonly command: string;
}
