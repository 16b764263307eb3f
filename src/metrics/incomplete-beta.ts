import { assert } from '../base/errors';

/** Lanczos's approximation with g = 7, good to 15 digits for positive arguments. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** ln Γ(x) of x > 0. */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  const series = LANCZOS.reduce((sum, c, i) => sum + (i ? c / (x + i - 1) : c), 0);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series);
}

/**
 * The regularised incomplete beta function I_x(a, b), which is the cumulative distribution of a beta variable, to 1e-9.
 * @throws internal unless a, b > 0 and 0 ≤ x ≤ 1
 * @source Press et al., "Numerical Recipes", 3rd edition, 6.4
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  assert(a > 0 && b > 0 && x >= 0 && x <= 1, `incomplete beta of ${x} with ${a}, ${b}`);
  if (x === 0 || x === 1) return x;
  // The fraction converges fast below the mean; above it the mirrored one does.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = logScale(a, b) + a * Math.log(x) + b * Math.log1p(-x);
  return (Math.exp(front) / a) * continuedFraction(x, a, b);
}

/** Lentz's evaluation; about √max(a, b) rounds. */
function continuedFraction(x: number, a: number, b: number): number {
  const awayFromZero = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1, change = 0; Math.abs(change - 1) > 1e-15 && m < 1e5; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    change = 1;
    for (const term of [even, odd]) {
      d = 1 / awayFromZero(1 + term * d);
      c = awayFromZero(1 + term / c);
      change *= c * d;
    }
    result *= change;
  }
  return result;
}

/** ln of 1 / B(a, b). */
const logScale = (a: number, b: number): number => logGamma(a + b) - logGamma(a) - logGamma(b);

/**
 * The x with I_x(a, b) = `share`: Newton's steps, and halving where one leaves what is known to hold the x.
 * @throws internal
 */
export function incompleteBetaInverse(share: number, a: number, b: number): number {
  const scale = logScale(a, b);
  let [low, high] = [0, 1];
  let x = a / (a + b);
  while (x > low && x < high) {
    const surplus = incompleteBeta(x, a, b) - share;
    if (surplus < 0) low = x;
    else high = x;
    const density = Math.exp(scale + (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x));
    const next = x - surplus / density;
    // Their errors are squared from step to step; below this they are those of the function.
    if (Math.abs(next - x) <= 1e-12 * x) return next;
    x = next > low && next < high ? next : (low + high) / 2;
  }
  return high;
}
