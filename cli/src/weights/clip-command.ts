/** The CLIP that the paper's features are made by. */
const USUAL = 'clip-vit-large-patch14';

/**
 * The command that downloads a CLIP of OpenAI, by the name of its folder; that of the paper where the name is none of theirs.
 *
 * ```ts
 * clipCommand(); // 'curl -L --create-dirs --output-dir models/clip-vit-large-patch14 --remote-name-all …'
 * ```
 */
export function clipCommand(name: string = USUAL): string {
  const known = /^clip-vit-[a-z]+-patch\d+(-336)?$/.test(name) ? name : USUAL;
  const files = 'model.safetensors,config.json';
  return `curl -L --create-dirs --output-dir models/${known} --remote-name-all 'https://huggingface.co/openai/${known}/resolve/main/{${files}}'`;
}
