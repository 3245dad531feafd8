/** What a pickle of weights may name. Everything else is refused before it is looked at further. */

/** Element types by the storages and dtypes of PyTorch that have them. */
const dtypes: Readonly<Record<string, string>> = {
  Double: 'F64',
  Float: 'F32',
  Half: 'F16',
  BFloat16: 'BF16',
  Long: 'I64',
  Int: 'I32',
  Short: 'I16',
  Char: 'I8',
  Byte: 'U8',
  Bool: 'BOOL',
  ComplexFloat: 'C64',
  ComplexDouble: 'C128',
};

/** The element type of a storage class, such as `torch.HalfStorage`. */
export function storageDtype(name: string): string | undefined {
  const kind = /^torch\.(?:cuda\.)?(\w+)Storage$/.exec(name)?.[1];
  return kind !== undefined && Object.hasOwn(dtypes, kind) ? dtypes[kind] : undefined;
}

/** What makes tensors, and the containers they are in. */
export const makers: ReadonlySet<string> = /*#__PURE__*/ new Set([
  'torch._utils._rebuild_tensor',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
  'torch._tensor._rebuild_from_type_v2',
  'collections.OrderedDict',
  'collections.defaultdict',
  'torch.Size',
  'torch.jit._pickle.build_intlist',
  'torch.jit._pickle.build_doublelist',
  'torch.jit._pickle.build_boollist',
  'torch.jit._pickle.build_tensorlist',
  'torch.jit._pickle.restore_type_tag',
]);

/**
 * What stands beside weights in published checkpoints: settings, numbers of NumPy, paths. They stay names with what was given to them:
 * nothing is looked at, and nothing can happen.
 */
const besides: ReadonlySet<string> = /*#__PURE__*/ new Set([
  'argparse.Namespace',
  'types.SimpleNamespace',
  'yacs.config.CfgNode',
  'addict.addict.Dict',
  'omegaconf.dictconfig.DictConfig',
  'omegaconf.listconfig.ListConfig',
  'omegaconf.base.ContainerMetadata',
  'omegaconf.base.Metadata',
  'omegaconf.nodes.AnyNode',
  'typing.Any',
  'pathlib.PosixPath',
  'pathlib.WindowsPath',
  'pathlib.PurePosixPath',
  'datetime.datetime',
  'datetime.timedelta',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  'numpy.core.multiarray._reconstruct',
  'numpy._core.multiarray._reconstruct',
  'numpy.dtype',
  'numpy.ndarray',
  '_codecs.encode',
  'torch.device',
  'torch.serialization._get_layout',
  'torch.nn.parameter.Parameter',
  'torch.Tensor',
  'copyreg._reconstructor',
  'copy_reg._reconstructor',
  'builtins.object',
  '__builtin__.object',
  'collections.Counter',
  ...['dict', 'list', 'set', 'tuple', 'int', 'float', 'str', 'bool', 'complex', 'bytes'].flatMap((type) => [
    `builtins.${type}`,
    `__builtin__.${type}`,
  ]),
]);

/** Whether a pickle may name it. `__torch__` are the modules of a TorchScript archive, which are no more than their attributes here. */
export function isAllowed(name: string): boolean {
  return (
    makers.has(name) ||
    besides.has(name) ||
    storageDtype(name) !== undefined ||
    name === 'torch.storage.UntypedStorage' ||
    /^torch\.(float|bfloat|int|uint|bool|double|half|long|short|complex|qint|quint)\d*(_e\w+)?$/.test(name) ||
    /^__torch__\.[\w.]+$/.test(name)
  );
}
