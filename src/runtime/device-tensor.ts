import { assert } from '../base/errors';
import { BYTES_PER_ELEMENT, sizeOf } from '../base/tensor';
import type { DType, Shape } from '../base/tensor';
import type { Ledger } from './ledger';
import type { OrtTensor } from './ort';

/** A tensor where the device keeps it: a GPU buffer, or memory of the CPU and WASM providers. */
export class DeviceTensor {
  #tensor: OrtTensor | undefined;
  readonly bytes: number;

  /** Entered in the ledger at once. */
  constructor(
    tensor: OrtTensor,
    readonly dtype: DType,
    readonly shape: Shape,
    private readonly ledger: Ledger,
    /** For buffers that ONNX Runtime doesn't own. */
    private readonly release?: () => void,
  ) {
    this.#tensor = tensor;
    this.bytes = sizeOf(shape) * BYTES_PER_ELEMENT[dtype];
    ledger.enter(this.bytes);
  }

  /** For the runtime alone. @throws internal after `dispose` */
  get ort(): OrtTensor {
    assert(this.#tensor, 'a device tensor is used after it was disposed');
    return this.#tensor;
  }

  /** Frees the memory; once is enough, twice does no harm. */
  dispose(): void {
    if (!this.#tensor) return;
    if (this.#tensor.location === 'gpu-buffer') this.#tensor.dispose();
    this.release?.();
    this.#tensor = undefined;
    this.ledger.strike(this.bytes);
  }
}
