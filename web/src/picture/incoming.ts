/** Pictures that are dropped on the page or pasted into it. */
import type { OpenPicture } from './picture.ts';

/** Follows files that are dragged over an element, and opens the first that is dropped; returns how to stop. */
export function dropPhotos(element: HTMLElement, open: OpenPicture): () => void {
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
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    void open({ file, name: file.name });
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
