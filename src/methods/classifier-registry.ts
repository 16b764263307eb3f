/** Every classifier of the app. A new one is a file of its own and one line here. */
export { recame } from './classifiers/recame';
export { linear } from './classifiers/linear';
export { mlp } from './classifiers/mlp';
export { semClipHead as semclip } from './classifiers/sem-clip-head';
export { nearestMean as 'nearest-mean' } from './classifiers/nearest-mean';
export { knn } from './classifiers/k-nearest';
export { efficientnet, r50vit, resnet101, vit } from './classifiers/baselines';
