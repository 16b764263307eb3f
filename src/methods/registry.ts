/** Every method of the app. A new one is a file of its own and one line here. */
export { patchcore } from './detectors/patchcore';
export { padim } from './detectors/padim';
export { stfpm } from './detectors/stfpm';
export { cfa } from './detectors/cfa';
export { fastflow } from './detectors/fastflow';
export { ganomaly } from './detectors/ganomaly';
export { reverseDistillation } from './detectors/reverse-distillation';
export { inpainting } from './detectors/inpainting';
export { fAnogan } from './detectors/f-anogan';
export { supersimplenet } from './detectors/supersimplenet';
export { semclip } from './clip/sem-clip';
export { winclip } from './clip/win-clip';
export { promptad } from './clip/prompt-ad';
export { dra } from './detectors/dra';
export { anomalygpt } from './clip/anomaly-gpt';
