import { bytesOf, zeros } from '../base/tensor';
import type { DType, Shape, TensorData } from '../base/tensor';

// GPUBufferUsage and GPUMapMode are globals of browsers alone; their numbers are fixed by the WebGPU specification.
const USAGE_MAP_READ = 0x01;
const USAGE_COPY_SRC = 0x04;
const USAGE_COPY_DST = 0x08;
const USAGE_STORAGE = 0x80;
const MODE_READ = 0x01;

/** GPU buffers bound by ONNX Runtime have sizes in multiples of this. */
const BUFFER_ALIGNMENT = 16;

/** Size of the buffer that holds so many bytes; there is no empty one. */
export const bufferSize = (bytes: number): number =>
  Math.max(Math.ceil(bytes / BUFFER_ALIGNMENT), 1) * BUFFER_ALIGNMENT;

/** A buffer of `bufferSize` that begins with these bytes; the caller destroys it. */
export function bufferOf(device: GPUDevice, bytes: Uint8Array): GPUBuffer {
  const buffer = device.createBuffer({
    size: bufferSize(bytes.byteLength),
    usage: USAGE_STORAGE | USAGE_COPY_SRC | USAGE_COPY_DST,
    mappedAtCreation: true,
  });
  new Uint8Array(buffer.getMappedRange()).set(bytes);
  buffer.unmap();
  return buffer;
}

/**
 * The tensor that a buffer begins with, read through a buffer of its own. ONNX Runtime's `getData` reads what a run
 * made and nothing else, and moves that tensor to the CPU: every later run would upload it again, and disposing it
 * leave its buffer alone.
 */
export async function readBuffer(
  device: GPUDevice,
  buffer: GPUBuffer,
  dtype: DType,
  shape: Shape,
): Promise<TensorData> {
  const result = zeros(shape, dtype);
  const bytes = bytesOf(result.data);
  const size = bufferSize(bytes.byteLength);
  const staging = device.createBuffer({ size, usage: USAGE_MAP_READ | USAGE_COPY_DST });
  try {
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MODE_READ);
    bytes.set(new Uint8Array(staging.getMappedRange(), 0, bytes.byteLength));
    return result;
  } finally {
    staging.destroy();
  }
}
