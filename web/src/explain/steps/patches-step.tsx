import { useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { Formula, sub } from '../math.tsx';
import { asSource } from '../painting/paint.ts';
import { paintCut, paintPicture } from '../painting/pictures.ts';
import { Figure } from '../painting/square.tsx';
import { pointed } from '../pointed.ts';
import { subject } from '../state.ts';
import { Step } from './step.tsx';

export function PatchesStep() {
  const { value } = subject;
  if (!value) return null;
  const { cols, patch, side, trained } = value;
  return (
    <Step
      id="patches"
      says={
        <>
          The model takes a square of {side} × {side} pixels and cuts it into {cols} × {cols} patches of {patch} ×{' '}
          {patch}. Each patch becomes a token: {trained.dim} numbers that say what is there, and where.
        </>
      }
      formula={
        <>
          <Formula
            parts={[
              sub('x', 'p'),
              '=',
              trained.stem === 'conv' ? sub('conv', 'p') : 'E',
              '(',
              'image',
              trained.stem === 'conv' ? ')' : sub(')', 'p'),
              '+',
              sub('e', 'p'),
              ',',
              'p',
              '=',
              1,
              '…',
              cols * cols,
            ]}
          />
          <p>
            {trained.stem === 'conv'
              ? 'A few small convolutions look at the pixels of patch p'
              : 'One matrix E takes the pixels of patch p'}
            ; e is a fixed code of its place, made of sines and cosines.
          </p>
        </>
      }
    >
      <Figure paint={paintPicture} label="The picture as the model takes it">
        What the model gets
      </Figure>
      <Figure paint={paintCut} label={`The picture in ${cols * cols} patches`}>
        {cols * cols} patches
      </Figure>
      <OnePatch />
    </Step>
  );
}

/** The pixels of the patch that is pointed at; of one in the middle before that. */
function OnePatch() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { value } = subject;
  const at = pointed.value;
  if (!value) return null;
  const { cols, patch } = value;
  const number = at?.what === 'patch' ? at.number : Math.floor(cols / 2) * (cols + 1);
  useSignalEffect(() => {
    const context = canvas.current?.getContext('2d');
    const [{ value: picture }, { value: now }] = [subject, pointed];
    if (!context || !picture) return;
    const one = now?.what === 'patch' ? now.number : Math.floor(picture.cols / 2) * (picture.cols + 1);
    const [x, y] = [(one % picture.cols) * picture.patch, Math.floor(one / picture.cols) * picture.patch];
    context.imageSmoothingEnabled = false;
    context.drawImage(asSource(picture.square), x, y, picture.patch, picture.patch, 0, 0, 96, 96);
  });
  return (
    <div class="one-patch">
      <canvas ref={canvas} width="96" height="96" />
      <p class="hint">
        Patch {number + 1}: row {Math.floor(number / cols) + 1}, column {(number % cols) + 1}. {patch} × {patch} pixels
        in 3 colours, {3 * patch * patch} numbers.
      </p>
    </div>
  );
}
