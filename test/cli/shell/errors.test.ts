import { expect, test } from 'vitest';
import { MpiError } from '../../../cli/src/mpi/errors.ts';
import { errorWords, UsageError } from '../../../cli/src/shell/errors.ts';
import { ArgumentError, DeviceError } from '../../../src/gpu/errors.ts';
import { CheckpointError } from '../../../src/nn/safetensors/types.ts';
import { ImageError } from '../../../src/zeroseg/image/image-error.ts';
import { SceneError } from '../../../src/zeroseg/scenes/atlas.ts';
import { FileError, LockError } from '../../../src/zeroseg/storage/errors.ts';

test('what a command says begins with what the user gave, not with a function', () => {
  const words = [
    new FileError('openModel', 'run', 'there is no such file'),
    new LockError('writeScenes', 'out', 'another program writes to it'),
    new ImageError('readPhoto', 'a.jpg', 'it is damaged'),
    new SceneError('SceneMaker.scene: seed must be a whole number'),
    new ArgumentError('openVocabulary: names must be words'),
    new MpiError('ZEROSEG_MPI: /no/libmpi.so is no library that loads'),
    new DeviceError("openDevice: no hardware GPU was found; open the device with adapter: 'swiftshader'"),
  ].map((error) => errorWords(error));
  expect(words).toEqual([
    'run: there is no such file',
    'out: another program writes to it',
    'a.jpg: it is damaged',
    'seed must be a whole number',
    'names must be words',
    'ZEROSEG_MPI: /no/libmpi.so is no library that loads',
    'no hardware GPU was found; open the device with --adapter swiftshader',
  ]);
});

test('what the library calls by its option is called as it was given, where the command has that option', () => {
  const error = new SceneError('SceneMaker: classes must be of dog, cat; got dgo');
  expect(errorWords(error, ['--out', '--classes'])).toBe('--classes must be of dog, cat; got dgo');
  expect(errorWords(error, ['--out'])).toBe('classes must be of dog, cat; got dgo');
  expect(errorWords(new CheckpointError('classes', 'must be a file'), ['--classes'])).not.toMatch(/--/);
});

test('files that are called like functions, options and commands stay', () => {
  expect(errorWords(new CheckpointError('openModel', 'is no model'))).toBe('openModel: is no model');
  expect(errorWords(new FileError('--classes', 'names.txt', 'permission denied'))).toBe(
    '--classes: names.txt: permission denied',
  );
  expect(errorWords(new UsageError('train: --cache is missing'))).toBe('train: --cache is missing');
});
