/** Where the teacher's weights lie: a small CLIP, see teacher/README.md. */
export const teacher = {
  weights: new URL('./teacher/teacher.safetensors', import.meta.url),
  config: new URL('./teacher/config.json', import.meta.url),
};

/** Where the student's weights lie: a trained ZeroSeg, see student/README.md. */
export const student = {
  weights: new URL('./student/student.safetensors', import.meta.url),
  config: new URL('./student/config.json', import.meta.url),
};

/** Where the drawings lie that made-up scenes are composed of, see scenes/README.md. */
export const scenes = {
  atlas: new URL('./scenes/atlas.png', import.meta.url),
  index: new URL('./scenes/atlas.json', import.meta.url),
};

/** Where the photographs lie that examples use, all in the public domain, see photos/README.md. */
export const photos = {
  boats: new URL('./photos/nagasaki-boats.jpg', import.meta.url),
  cat: new URL('./photos/locomotion-house-cat.jpg', import.meta.url),
};
