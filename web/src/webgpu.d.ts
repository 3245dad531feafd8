/** A name of `@webgpu/types` that the library's source uses, and `lib.dom` has another one for. */
type GPUAllowSharedBufferSource = AllowSharedBufferSource;
