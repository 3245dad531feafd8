/** Models that come by a drop. */
import { droppedEntries, filesOf, type GivenFile, pickedFiles } from '../app/visitor-files.ts';
import { isModelFile } from './worker/given-files.ts';

/** Files of a dropped folder that are looked at; a CLIP has a dozen. */
const MAX_FILES = 2000;

/** Whether what is dropped is a folder, or files that are no photos. To be asked while the event lasts. */
export function isModelDrop(dropped: DataTransfer): boolean {
  if (droppedEntries(dropped).some((entry) => entry.isDirectory)) return true;
  return [...dropped.files].some(({ name }) => isModelFile(name));
}

/** All files of a drop, those of folders too. */
export async function droppedFiles(dropped: DataTransfer): Promise<GivenFile[]> {
  const entries = droppedEntries(dropped);
  return entries.length === 0 ? pickedFiles(dropped.files) : filesOf(entries, MAX_FILES);
}
