/** An error in words for people: without the call that found it. */
export function sentenceOf(error: unknown): string {
  const { message, name } = error as Error;
  // These begin with the name of a file.
  return name === 'CheckpointError' ? message : message.replace(/^\w+(\.\w+)?: /, '');
}
