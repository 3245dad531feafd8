/** Pictures that are dropped on the page or pasted into it; models too. */
import { followDrops, type GivenFile } from '../app/visitor-files.ts';
import { droppedFiles, isModelDrop } from '../models/incoming.ts';
import type { OpenPicture } from './picture.ts';

/**
 * Follows files that are dragged over an element, and opens the first photo that is dropped, or what may be models where the tool takes
 * these; returns how to stop.
 */
export function dropPhotos(
  element: HTMLElement,
  open: OpenPicture,
  openModels?: (given: readonly GivenFile[]) => unknown,
): () => void {
  return followDrops(element, (dropped) => {
    const file = dropped.files[0];
    if (!file) return false;
    if (openModels && isModelDrop(dropped)) void droppedFiles(dropped).then(openModels);
    else void open({ file, name: file.name });
    return true;
  });
}

export function pastePhotos(target: Document, open: OpenPicture): () => void {
  const paste = (event: ClipboardEvent): void => {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    void open({ file, name: file.name || 'pasted picture' });
  };
  target.addEventListener('paste', paste);
  return () => target.removeEventListener('paste', paste);
}
