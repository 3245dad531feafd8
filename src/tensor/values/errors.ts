import { ZeroSegError } from '../../gpu/index.ts';
/** A step was made or called in a way that cannot work, or its body broke a rule of recording. */
export class StepError extends ZeroSegError {
  override readonly name: string = 'StepError';
  readonly code: string = 'step';
}

/** A value that is not finite, found by a step in check mode. `launch` is the label of the launch that wrote it. */
export class NotFiniteError extends StepError {
  override readonly name = 'NotFiniteError';
  override readonly code = 'not-finite';
  readonly launch: string;

  constructor(message: string, launch: string) {
    super(message);
    this.launch = launch;
  }
}
