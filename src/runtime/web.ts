import { AppError } from '../base/errors';
import { threadsDetail } from './ort';
import type { Backend, GpuWatch, OrtModule } from './ort';

export type ProviderWish = 'auto' | 'webgpu' | 'wasm';

/** More threads than this gain nothing on networks of this size. */
const MOST_THREADS = 8;
/** Largest memory of 32-bit WebAssembly, and so of one of its tensors and of a job. */
const WASM_BYTES = 2 ** 32 - 1;

/**
 * ONNX Runtime Web with the provider that suits this browser: WebGPU on a real adapter, otherwise WebAssembly; the
 * report says which and why.
 * @param wish `webgpu` takes a software adapter too (tests); `wasm` never asks for a device
 * @throws gpu/none when `webgpu` is wished for and there is no adapter
 */
export async function openWebBackend(wish: ProviderWish): Promise<Backend> {
  const ort = await loadOrt();
  const threads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
  ort.env.wasm.numThreads = threads;
  const found =
    wish === 'wasm' ? { reason: 'WebAssembly was asked for.' } : await openDevice(wish === 'webgpu');
  if ('gpu' in found)
    return {
      ort,
      gpu: found.gpu,
      report: {
        kind: 'webgpu',
        detail: found.name,
        reason: found.reason,
        maxTensorBytes: found.gpu.device.limits.maxStorageBufferBindingSize,
      },
    };
  if (wish === 'webgpu') throw new AppError('gpu/none', found.reason);
  return {
    ort,
    report: {
      kind: 'wasm',
      detail: threadsDetail(threads),
      reason: globalThis.crossOriginIsolated
        ? found.reason
        : `${found.reason} One thread only: the page is not cross-origin isolated.`,
      maxTensorBytes: WASM_BYTES,
      memoryBytes: WASM_BYTES,
    },
  };
}

/** The build with JavaScript promise integration where the browser has it: smaller, and safe after a lost device. */
async function loadOrt(): Promise<OrtModule> {
  return 'Suspending' in WebAssembly
    ? await import('onnxruntime-web/jspi')
    : await import('onnxruntime-web/webgpu');
}

type Found = { gpu: GpuWatch; name: string; reason: string } | { reason: string };

async function openDevice(acceptSoftware: boolean): Promise<Found> {
  const { gpu } = navigator;
  if (!gpu) return { reason: 'This browser has no WebGPU.' };
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return { reason: 'WebGPU found no graphics adapter.' };
  const software = isSoftware(adapter);
  if (software && !acceptSoftware)
    return { reason: 'The graphics adapter is a software one, slower than WebAssembly.' };
  const device = await adapter.requestDevice({ requiredLimits: wantedLimits(adapter.limits) });
  const watch: GpuWatch = { device, lost: undefined, errors: [] };
  void device.lost.then(({ reason, message }) => (watch.lost = message || reason));
  device.addEventListener('uncapturederror', ({ error }) => watch.errors.push(error.message));
  return {
    gpu: watch,
    name: nameOf(adapter),
    reason: software ? 'A software adapter, as asked for.' : 'A graphics adapter is there.',
  };
}

/** SwiftShader and llvmpipe call themselves by architecture; newer browsers say it outright. */
const isSoftware = ({ info }: GPUAdapter): boolean =>
  ('isFallbackAdapter' in info && info.isFallbackAdapter === true) ||
  /swiftshader|llvmpipe|software/i.test(`${info.architecture} ${info.description}`);

const nameOf = ({ info }: GPUAdapter): string =>
  info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed adapter';

/** What the adapter can do; a device has only WebGPU's minimum unless it is asked for more. No `subgroups`. */
function wantedLimits(limits: GPUSupportedLimits): Record<string, number> {
  const names = [
    'maxBufferSize',
    'maxStorageBufferBindingSize',
    'maxStorageBuffersPerShaderStage',
    'maxComputeWorkgroupStorageSize',
    'maxComputeInvocationsPerWorkgroup',
    'maxComputeWorkgroupSizeX',
    'maxComputeWorkgroupSizeY',
    'maxComputeWorkgroupSizeZ',
    'maxComputeWorkgroupsPerDimension',
  ] as const;
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}
