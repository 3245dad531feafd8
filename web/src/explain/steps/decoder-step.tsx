import { Formula, frac, over, sub, sup } from '../math.tsx';
import { paintMasked, paintPicture, paintRepainted } from '../painting/pictures.ts';
import { Figure } from '../painting/square.tsx';
import { grouped, seen, subject } from '../state.ts';
import { Step } from './step.tsx';

export function DecoderStep() {
  const { value } = subject;
  if (!value) return null;
  const isHidden = (seen.value?.hidden ?? 0) > 0;
  const loss = grouped.value?.terms['rec'];
  const { decoderBlocks } = value.trained;
  return (
    <Step
      id="decoder"
      says={
        isHidden ? (
          <>
            A small decoder gets the tokens, with a blank wherever a patch is missing, and paints what it thinks was
            there. Blurred is fine: to guess the colours, the encoder has to know what goes with what. The decoder is
            thrown away after training.
          </>
        ) : (
          <>Nothing is hidden, so there is nothing to paint. Hide some patches in step 2.</>
        )
      }
      formula={
        <>
          <Formula
            parts={[
              sub('L', 'rec'),
              '=',
              frac(1, ['|', 'M', '|']),
              over('∑', ['p', '∈', 'M']),
              sup(['‖', sub('ŷ', 'p'), '−', sub('y', 'p'), '‖'], 2),
              ...(isHidden && loss !== undefined ? ['=', Number(loss.toFixed(3))] : []),
            ]}
          />
          <p>
            Mean squared error over the pixels of the hidden patches M only, after {decoderBlocks}{' '}
            {decoderBlocks === 1 ? 'block' : 'blocks'}.
          </p>
        </>
      }
    >
      <Figure paint={paintMasked} label="What the encoder saw">
        Seen
      </Figure>
      <Figure paint={paintRepainted} label="The picture with its hidden patches as the decoder painted them">
        Painted{isHidden && loss !== undefined && <>, error {loss.toFixed(3)}</>}
      </Figure>
      <Figure paint={paintPicture} label="The picture as it is">
        True
      </Figure>
    </Step>
  );
}
