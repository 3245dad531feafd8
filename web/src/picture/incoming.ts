/** Pictures that are dropped on the page or pasted into it; models too. */
import { droppedFiles, isModelDrop } from '../models/incoming.ts';
import type { GivenFile } from '../models/messages.ts';
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
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    element.classList.add('is-dropping');
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) element.classList.remove('is-dropping');
  };
  const drop = (event: DragEvent): void => {
    element.classList.remove('is-dropping');
    const { dataTransfer } = event;
    const file = dataTransfer?.files[0];
    if (!dataTransfer || !file) return;
    event.preventDefault();
    if (openModels && isModelDrop(dataTransfer)) void droppedFiles(dataTransfer).then(openModels);
    else void open({ file, name: file.name });
  };
  element.addEventListener('dragover', over);
  element.addEventListener('dragleave', leave);
  element.addEventListener('drop', drop);
  return () => {
    element.removeEventListener('dragover', over);
    element.removeEventListener('dragleave', leave);
    element.removeEventListener('drop', drop);
  };
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
