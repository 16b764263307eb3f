import type { Backend, OrtModule } from './ort';

/**
 * The CPU provider of `onnxruntime-node`, handed in as a value: for tests, bench and training scripts.
 * @param threads the number it will use, for the report; ONNX Runtime takes one per core
 */
export const nodeBackend = (ort: OrtModule, threads = 0): Backend => ({
  ort,
  report: {
    kind: 'cpu',
    detail: threads ? `${threads} threads` : 'one thread per core',
    reason: 'Node runs ONNX Runtime on the processor.',
    maxTensorBytes: 2 ** 31 - 1,
  },
});
