// The development server of Vite 7 moves this script to node_modules/.vite/deps, and not the files beside it: there, addresses are
// led back. Everywhere else they stay as they are.
const placed = (url) => new URL(url.href.replace('/.vite/deps/', '/@zeroseg/pretrained/'));

/** Where the teacher's weights lie: a small CLIP, see teacher/README.md. */
export const teacher = {
  weights: placed(new URL('./teacher/teacher.safetensors', import.meta.url)),
  config: placed(new URL('./teacher/config.json', import.meta.url)),
};

/** Where the student's weights lie: a trained ZeroSeg, see student/README.md. */
export const student = {
  weights: placed(new URL('./student/student.safetensors', import.meta.url)),
  config: placed(new URL('./student/config.json', import.meta.url)),
};

/** Where the drawings lie that made-up scenes are composed of, see scenes/README.md. */
export const scenes = {
  atlas: placed(new URL('./scenes/atlas.png', import.meta.url)),
  index: placed(new URL('./scenes/atlas.json', import.meta.url)),
};

/** Where the photographs lie that examples use, all in the public domain, see photos/README.md. */
export const photos = {
  boats: placed(new URL('./photos/nagasaki-boats.jpg', import.meta.url)),
  cat: placed(new URL('./photos/locomotion-house-cat.jpg', import.meta.url)),
};
