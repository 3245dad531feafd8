/** TensorFlow.js as `bench/peers` uses it, by the parts that it needs: the package `@tensorflow/tfjs` brings three backends more. */
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';
import '@tensorflow/tfjs-core/dist/register_all_gradients';

export * from '@tensorflow/tfjs-core';
