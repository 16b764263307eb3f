import { floatTensor } from '../../base/tensor';
import type { TensorData } from '../../base/tensor';

/** Rows with a 1 at each one's class. @returns [N,classes] */
export function oneHot(classOf: ArrayLike<number>, classes: number): TensorData {
  const rows = new Float32Array(classOf.length * classes);
  for (let i = 0; i < classOf.length; i++) rows[i * classes + classOf[i]] = 1;
  return floatTensor([classOf.length, classes], rows);
}
