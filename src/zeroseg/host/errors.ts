import { ZeroSegError } from '../../gpu/index.ts';
/** A configuration that makes no sense. The message names the key, the rule and the value. */
export class ConfigError extends ZeroSegError {
  override readonly name = 'ConfigError';
  readonly code = 'config';
}

/** Training cannot go on: a loss that is not finite. */
export class TrainingError extends ZeroSegError {
  override readonly name = 'TrainingError';
  readonly code = 'training';
  readonly step: number;

  constructor(step: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.step = step;
  }
}
