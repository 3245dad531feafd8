/** What a demo does, and the seconds that it has. What is measured on the way decides the rest. */
interface Plan {
  readonly seconds: number;
  /** Scenes in the report, those of which the clearest opens it, and at least and at most for scores. */
  readonly shown: number;
  readonly searched: number;
  readonly scored: readonly [min: number, max: number];
  /** Of the fresh student; a quick demo has none. */
  readonly training: {
    /** Scenes to learn from, at most; and a step: the fewer, the more steps there are. */
    readonly max: number;
    readonly batch: number;
    readonly watched: number;
    readonly measurements: number;
  };
}

export const fullPlan: Plan = {
  seconds: 215,
  shown: 12,
  searched: 40,
  scored: [30, 200],
  training: { max: 900, batch: 8, watched: 12, measurements: 20 },
};
export const quickPlan: Plan = { ...fullPlan, seconds: 60, shown: 6, searched: 20 };
/** SwiftShader, which comes by npm, takes several times as long for everything. */
export const slowPlan: Plan = {
  ...fullPlan,
  seconds: 500,
  shown: 8,
  searched: 30,
  training: { ...fullPlan.training, watched: 6, measurements: 12 },
};
export const slowQuickPlan: Plan = { ...slowPlan, seconds: 90, shown: 6, searched: 20, scored: [10, 200] };
