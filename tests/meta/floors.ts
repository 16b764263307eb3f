/**
 * The floors of the house as data: the lint rule and `floors.test.ts` both read this table.
 * A folder may import values from lower floors and from itself; types may come from anywhere.
 */
export const FLOOR: Readonly<Record<string, number>> = {
  base: 0,
  graph: 1,
  weights: 1,
  image: 1,
  text: 1,
  metrics: 1,
  review: 1,
  sample: 1,
  nn: 2,
  runtime: 2,
  methods: 3,
  engine: 4,
  protocol: 4,
  store: 5,
  exchange: 5,
  app: 6,
};

/** Above the worker boundary values come only from these. */
const ABOVE_BOUNDARY = new Set(['store', 'exchange', 'app']);
const ALLOWED_ABOVE = new Set(['base', 'protocol', 'review', 'metrics', 'store', 'exchange', 'app']);

/** Packages with one door each: package name to the places (path prefixes) that may import it. */
export const DOORS: Readonly<Record<string, readonly string[]>> = {
  'onnxruntime-web': ['src/runtime/'],
  'onnxruntime-node': ['src/runtime/', 'scripts/', 'tests/'],
  idb: ['src/store/', 'tests/'],
  svelte: ['src/app/', 'src/main.ts', 'tests/'],
  comlink: ['workers/', 'src/app/engine-client.ts', 'tests/'],
};

/** The folder of `src/` a path lies in, `undefined` for files outside or directly in `src/`. */
export const folderOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];

/**
 * Why `from` may not import `to` as a value, or `undefined` when it may.
 * @param from path from the project's root
 * @param to path from the project's root, or a package name
 */
export function forbidden(from: string, to: string): string | undefined {
  const door = Object.keys(DOORS).find((name) => to === name || to.startsWith(`${name}/`));
  if (door && !DOORS[door].some((prefix) => from.startsWith(prefix)))
    return `only ${DOORS[door].join(', ')} may import ${door}`;
  const source = folderOf(from);
  const target = folderOf(to);
  if (!source || !target || source === target) return undefined;
  if (!(source in FLOOR)) return `src/${source} is not in the plan of the house`;
  if (!(target in FLOOR)) return `src/${target} is not in the plan of the house`;
  if (ABOVE_BOUNDARY.has(source) && !ALLOWED_ABOVE.has(target))
    return `${source} is above the worker boundary; ${target} lives below it`;
  if (FLOOR[target] > FLOOR[source])
    return `${source} (floor ${FLOOR[source]}) imports up from ${target} (floor ${FLOOR[target]})`;
  if (FLOOR[target] === FLOOR[source])
    return `${source} and ${target} are siblings on floor ${FLOOR[source]}`;
  return undefined;
}
