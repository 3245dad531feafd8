/** The first page. */
export const homePage = `---
layout: home
hero:
  name: '@zeroseg/core'
  text: Tensors that train on WebGPU
  tagline: Ops, autograd, layers and optimizers in TypeScript with hand-written kernels. The same code runs in Node and in browsers.
  actions:
    - { theme: brand, text: Ten-minute tour, link: /tour }
    - { theme: alt, text: Install, link: /install }
    - { theme: alt, text: Examples that run here, link: /examples/ }
features:
  - { title: Small, details: 'A page that adds two tensors loads 15 kB, one that trains layers 37 kB. No dependency, no build of its own.', link: /install }
  - { title: Nothing to free, details: 'An op returns the promise of a value. A step plans its memory once, and then allocates nothing.', link: /guides/memory-and-steps }
  - { title: Names you know, details: 'Ops, layers and optimizers are called as in PyTorch and NumPy, and are tested to behave so, NaN included.', link: /guides/from-pytorch }
  - { title: Your own kernels, details: 'A kernel is a declaration and the body of a function in WGSL. With a gradient it is an op like any other.', link: /guides/own-kernels }
  - { title: Errors that help, details: 'The op, the rule, every shape by name, and the remedy. A check mode finds the launch that made the first NaN.', link: /guides/debugging }
  - { title: ZeroSeg on top, details: 'Open-vocabulary segmentation learnt without labels, with its CLIP, trainer and scores.', link: /zeroseg }
---
`;
