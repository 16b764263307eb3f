/** Least squares of b by a line of a: the mean square left, and the slope. */
export function fitLine(a: readonly number[], b: readonly number[]): { error: number; slope: number } {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const slope = mean(a.map((value, i) => (value - ma) * (b[i] - mb))) / mean(a.map((v) => (v - ma) ** 2));
  return { slope, error: mean(b.map((value, i) => (value - mb - slope * (a[i] - ma)) ** 2)) };
}
