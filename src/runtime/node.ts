import { threadsDetail } from './ort';
import type { Backend, OrtModule } from './ort';

/**
 * The CPU provider of `onnxruntime-node`, handed in as a value: for tests, bench and training scripts.
 * @param threads that a session computes on; one per core when left out
 */
export const nodeBackend = (ort: OrtModule, threads?: number): Backend => ({
  ort,
  threads,
  report: {
    kind: 'cpu',
    detail: threads ? threadsDetail(threads) : 'one thread per core',
    reason: 'Node runs ONNX Runtime on the processor.',
    maxTensorBytes: 2 ** 31 - 1,
  },
});
