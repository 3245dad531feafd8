/** How a device computes, as far as kernels choose their variants and the shapes of their launches by it. */
export interface DeviceProfile {
  /**
   * `gpu`: many workgroups at once hide the time that loads take, and neighbouring threads that read neighbouring addresses share
   * a load. `cpu` (software adapters): a workgroup is a loop over its threads on one core, eight at a time in a vector unit.
   * Starting one costs what some 20 vec4s do, barriers are expensive, and neighbouring addresses are loaded one by one.
   */
  readonly kind: 'cpu' | 'gpu';
  /** Workgroups that keep all cores busy. */
  readonly workgroupsWanted: number;
  /** Threads that can share a load by subgroup operations: subgroups have at least so many. 0: there are none, or smaller ones. */
  readonly sharedThreads: 0 | 4 | 8;
  /** Threads of a subgroup, where that is one number, 4 to 32, at every launch; 0 otherwise. */
  readonly subgroupSize: number;
}

/** The profile of an adapter; `isSoftware`: it computes on the CPU. */
export function profileOf(
  adapter: { readonly subgroupMinSize?: number; readonly subgroupMaxSize?: number },
  hasSubgroups: boolean,
  isSoftware: boolean,
): DeviceProfile {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = hasSubgroups ? adapter : {};
  const isFixed = subgroupMinSize === subgroupMaxSize && subgroupMinSize >= 4 && subgroupMinSize <= 32;
  return {
    kind: isSoftware ? 'cpu' : 'gpu',
    workgroupsWanted: isSoftware ? 16 : 2048,
    sharedThreads: subgroupMinSize >= 8 ? 8 : subgroupMinSize >= 4 ? 4 : 0,
    subgroupSize: isFixed ? subgroupMinSize : 0,
  };
}
