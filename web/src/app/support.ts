/** Whether this browser can compute on a GPU, and if not, why and what helps. */
export type Support =
  | { readonly isThere: true }
  | { readonly isThere: false; readonly why: string; readonly remedy: string };

export async function findSupport(): Promise<Support> {
  if (!isSecureContext) {
    return {
      isThere: false,
      why: 'This page was opened over plain http, and browsers give the GPU to https and localhost only.',
      remedy: 'Open it by an https address, or by localhost on the machine that serves it.',
    };
  }
  const { gpu } = navigator as Partial<Navigator>;
  if (!gpu) return { isThere: false, ...withoutWebGpu(navigator.userAgent) };
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter) return { isThere: true };
  return {
    isThere: false,
    why: 'This browser knows WebGPU, but offers no GPU for it: the driver is on its block list, or graphics acceleration is off.',
    remedy: withoutAdapter(navigator.userAgent),
  };
}

function withoutWebGpu(agent: string): { why: string; remedy: string } {
  const why = 'This browser has no WebGPU, by which a page computes on the GPU.';
  const chromium = /Chrom(?:e|ium)\/(\d+)/.exec(agent)?.[1];
  if (/Firefox\//.test(agent)) {
    return {
      why,
      remedy: /Windows|Macintosh/.test(agent)
        ? 'Update Firefox: it has WebGPU on Windows since version 141, and on Macs with Apple’s own chips since 145.'
        : 'Firefox has WebGPU here in its Nightly builds only. Chrome or Edge from version 113 on have it.',
    };
  }
  if (chromium !== undefined) {
    if (Number(chromium) < 113)
      return { why, remedy: `Update this browser: version ${chromium} is older than 113, the first with WebGPU.` };
    return {
      why,
      remedy: /Linux(?!.*Android)/.test(agent)
        ? 'On Linux, start it with --enable-unsafe-webgpu --enable-features=Vulkan, or switch on “Unsafe WebGPU Support” in chrome://flags.'
        : 'Switch on “Use graphics acceleration when available” in its settings under System, and start it again.',
    };
  }
  if (/Safari\//.test(agent)) {
    return {
      why,
      remedy:
        'Safari has WebGPU since version 26: macOS Tahoe, iOS 26, iPadOS 26. Before that, Chrome or Edge on a Mac have it.',
    };
  }
  return { why, remedy: 'Use a current Chrome, Edge, Safari or Firefox.' };
}

function withoutAdapter(agent: string): string {
  if (/Firefox\//.test(agent))
    return 'See “WebGPU” in about:support for the reason; an update of the graphics driver helps most often.';
  if (/Chrom(?:e|ium)\//.test(agent)) {
    return 'See chrome://gpu for the reason. Switch on graphics acceleration in the settings under System, or update the graphics driver.';
  }
  return 'Update the system and the graphics driver, and see that graphics acceleration is on.';
}
