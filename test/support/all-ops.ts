/** Every public op: those of the tensor library and the paper's own. */
export * from '../../src/kernels/index.ts';
export * from '../../src/kernels/zeroseg/index.ts';
