/** Where the teacher's weights lie: a small CLIP, see teacher/README.md. */
export const teacher: { readonly weights: URL; readonly config: URL };
/** Where the student's weights lie: a trained ZeroSeg, see student/README.md. */
export const student: { readonly weights: URL; readonly config: URL };
/** Where the drawings lie that made-up scenes are composed of, see scenes/README.md. */
export const scenes: { readonly atlas: URL; readonly index: URL };
/** Where the photographs lie that examples use, all in the public domain, see photos/README.md. */
export const photos: { readonly boats: URL; readonly cat: URL };
