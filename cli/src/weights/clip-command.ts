/** The CLIP that the paper's features are made by. */
const USUAL = 'clip-vit-large-patch14';

/**
 * The command that downloads a CLIP of OpenAI, by the name of its folder; that of the paper where the name is none of theirs.
 *
 * ```ts
 * clipCommand(); // 'zeroseg download openai/clip-vit-large-patch14 --out models/clip-vit-large-patch14'
 * ```
 */
export function clipCommand(name: string = USUAL): string {
  const known = /^clip-vit-[a-z]+-patch\d+(-336)?$/.test(name) ? name : USUAL;
  return `zeroseg download openai/${known} --out models/${known}`;
}
