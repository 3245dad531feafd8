// What the search of the site takes for words, and what it shows first.

export const search = {
  provider: 'local',
  options: {
    miniSearch: {
      options: {
        // Names of PyTorch are words as a whole, and their parts are: `clip_grad_norm_` is no `norm`.
        tokenize: (text, field) => {
          const words = text.split(/[^\p{L}\p{N}_]+/u).filter(Boolean);
          return field
            ? words.flatMap((word) => [word, ...(word.includes('_') ? word.split('_').filter(Boolean) : [])])
            : words;
        },
      },
      searchOptions: {
        // Guides before lists of names, and what people come for, the library, before the inside of ZeroSeg.
        boostDocument: (id) => {
          if (/\/(guides|examples)\/|\/(library|tour|install)\.html/.test(id)) return 2;
          if (/\/reference\/zeroseg|\/ops\/zeroseg|\/(changelog|contributing)\.html/.test(id)) return 0.3;
          return 1;
        },
      },
    },
  },
};
