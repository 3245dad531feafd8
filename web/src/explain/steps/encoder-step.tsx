import { Formula, frac, root, sub, sup } from '../math.tsx';
import { paintEntering, paintLeaving } from '../painting/pictures.ts';
import { Figure } from '../painting/square.tsx';
import { subject } from '../state.ts';
import { Step } from './step.tsx';

export function EncoderStep() {
  const { value } = subject;
  if (!value) return null;
  const { trained } = value;
  return (
    <Step
      id="encoder"
      says={
        <>
          In {trained.encoderBlocks} rounds every visible patch looks at all others and takes over what helps it. Alike
          colours are alike tokens: first they show mostly where a patch lies, in the end what it belongs to. Point at
          one, and the tokens that resemble it stay bright.
        </>
      }
      formula={
        <>
          <Formula
            parts={['x', '←', 'x', '+', 'softmax', '(', frac(['Q', sup('K', 'T')], root(sub('d', 'h'))), ')', 'V']}
          />
          <Formula parts={['x', '←', 'x', '+', 'MLP', '(', 'x', ')']} />
          <p>
            {trained.encoderBlocks} blocks of attention and MLP over tokens of {trained.dim} numbers. Red, green and
            blue are the three directions in which the tokens of the whole picture differ max (PCA).
          </p>
        </>
      }
    >
      <Figure paint={paintEntering} label="Tokens as they enter the encoder, as colours">
        Going in
      </Figure>
      <Figure paint={paintLeaving} label="Tokens as they leave the encoder, as colours">
        Coming out
      </Figure>
    </Step>
  );
}
