import { floatTensor } from '../../base/tensor';
import { GraphBuilder } from '../../graph/builder';
import { matMul } from '../../graph/ops/index';
import type { FitContext } from '../contract';
import type { Points } from './coreset';

/** ε²/2 − ε³/3 at ε = 0.9. */
const JOHNSON_LINDENSTRAUSS = 0.81 / 2 - 0.729 / 3;
const BLOCK = 4096;

/** Dimensions that keep distances of n points within 90 %. @source Johnson and Lindenstrauss; methods.md 5.3 */
export const projectedWidth = (count: number): number =>
  Math.floor((4 * Math.log(count)) / JOHNSON_LINDENSTRAUSS);

/**
 * Points in fewer dimensions by a sparse random projection, for selection alone; unchanged where that saves nothing.
 * @source Li, Hastie, Church 2006: entries ±√(1/(s·p)) with density s = 1/√d
 */
export async function project(context: Pick<FitContext, 'compile' | 'rng'>, points: Points): Promise<Points> {
  const { count, width, values } = points;
  const to = projectedWidth(count);
  if (to >= width) return points;
  const rng = context.rng('projection');
  const density = 1 / Math.sqrt(width);
  const entry = Math.sqrt(1 / (density * to));
  const matrix = Float32Array.from({ length: width * to }, () => {
    const u = rng.uniform();
    return u < density / 2 ? entry : u < density ? -entry : 0;
  });
  const projected = new Float32Array(count * to);
  for (let first = 0; first < count; first += BLOCK) {
    const rows = Math.min(BLOCK, count - first);
    const graph = new GraphBuilder();
    const input = graph.input('points', [rows, width]);
    graph.output('projected', matMul(input, graph.weight('projection', floatTensor([width, to], matrix))));
    const program = await context.compile(graph.build());
    const block = floatTensor([rows, width], values.subarray(first * width, (first + rows) * width));
    const { values: found } = await program.run({ points: block });
    projected.set(found.projected.data as Float32Array, first * to);
  }
  return { values: projected, count, width: to };
}
