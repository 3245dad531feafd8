import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Dialog } from '../app/dialog.tsx';
import type { OpenPicture } from './picture.ts';

/** The camera in a dialog: a live picture, and a button that takes it. */
export function Camera({ open, onClose }: { open: OpenPicture; onClose: () => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const refusal = useSignal<string | undefined>(undefined);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isClosed = false;
    const start = async (): Promise<void> => {
      try {
        stream = await navigator.mediaDevices.getUserMedia({
          video: { facingMode: 'environment', width: { ideal: 1920 }, height: { ideal: 1080 } },
        });
      } catch (error) {
        refusal.value = whyNoCamera(error as DOMException);
        return;
      }
      if (isClosed || !video.current) {
        stop(stream);
        return;
      }
      video.current.srcObject = stream;
      await video.current.play();
    };
    void start();
    return () => {
      isClosed = true;
      stop(stream);
    };
  }, []);
  const take = async (): Promise<void> => {
    const { current } = video;
    if (!current || current.videoWidth === 0) return;
    const canvas = new OffscreenCanvas(current.videoWidth, current.videoHeight);
    canvas.getContext('2d')?.drawImage(current, 0, 0);
    onClose();
    await open({ file: await canvas.convertToBlob({ type: 'image/png' }), name: 'camera picture' });
  };
  return (
    <Dialog title="Camera" onClose={onClose}>
      {refusal.value ? (
        <p class="notice notice-problem" role="alert">
          {refusal}
        </p>
      ) : (
        <>
          <video ref={video} class="camera" playsInline muted aria-label="What the camera sees" />
          <button type="button" class="button button-strong" onClick={() => void take()}>
            Take the picture
          </button>
        </>
      )}
    </Dialog>
  );
}

function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function whyNoCamera({ name }: DOMException): string {
  if (name === 'NotAllowedError')
    return 'This page may not use the camera: allow it in the address bar, and try again.';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'There is no camera on this device.';
  if (name === 'NotReadableError') return 'Another program is using the camera; close it, and try again.';
  return 'This browser gives no camera to the page.';
}
