import { opfsFileSystem } from '@zeroseg/core/zeroseg';

/**
 * Puts a model on the shelf of models: a folder of `models` in the browser's private file system, in which `about.json` is written
 * last. Returns what it is chosen by: itself, named by the words of the built-in teacher.
 */
export async function handOver(id: string, name: string, model: Blob): Promise<string> {
  const shelf = await opfsFileSystem('models');
  const [folder, file] = [`trained-${id}`, 'model.safetensors'];
  await shelf.write(`${folder}/${file}`, new Uint8Array(await model.arrayBuffer()));
  const about = { name, file, files: [{ name: file, size: model.size }] };
  await shelf.write(`${folder}/about.json`, JSON.stringify(about));
  return `${folder}+built-in-teacher`;
}
