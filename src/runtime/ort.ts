import type * as Common from 'onnxruntime-common';

/** ONNX Runtime as a value: `onnxruntime-web` in the engine worker, `onnxruntime-node` in tests, bench and scripts. */
export type OrtModule = Pick<typeof Common, 'InferenceSession' | 'Tensor' | 'env'>;
export type OrtSession = Common.InferenceSession;
export type OrtTensor = Common.Tensor;
export type SessionOptions = Common.InferenceSession.SessionOptions;

export type ProviderKind = 'webgpu' | 'wasm' | 'cpu';

/** Which provider computes, and why: shown at the right end of the bar. */
export interface ProviderReport {
  readonly kind: ProviderKind;
  /** The adapter's name, or the number of threads. */
  readonly detail: string;
  /** One sentence: why this one. */
  readonly reason: string;
  /** Largest tensor the device can bind, in bytes. */
  readonly maxTensorBytes: number;
  /** All the memory that one job can have, in bytes, where that is known. */
  readonly memoryBytes?: number;
}

/** How a report says a number of threads. */
export const threadsDetail = (threads: number): string => (threads === 1 ? '1 thread' : `${threads} threads`);

/** What a runtime is made of. */
export interface Backend {
  readonly ort: OrtModule;
  readonly report: ProviderReport;
  /** Only for WebGPU. */
  readonly gpu?: GpuWatch;
  /** Of a session, where a session and not the module has threads. */
  readonly threads?: number;
}

/** A device and what has befallen it. */
export interface GpuWatch {
  readonly device: GPUDevice;
  /** Set when the device is lost: why. */
  lost: string | undefined;
  /** Uncaptured errors since the last look. */
  readonly errors: string[];
}
