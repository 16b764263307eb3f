// `npm test`: installs what it needs and runs everything; `fast` and `golden` run parts, `long` what takes too long for
// every day: as many steps on the software WebGPU adapter as on WebAssembly.
// The last line reads `N passed, N failed`.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureChromium, ensureInstalled, root, run } from './prepare.mjs';

const LANES = {
  all: ['format', 'lint', 'types', 'unit', 'golden', 'slow', 'browser', 'e2e'],
  long: ['browser'],
  fast: ['types', 'unit'],
  golden: ['golden'],
};
const lane = process.argv[2] ?? 'all';
const extra = process.argv.slice(3);
if (!LANES[lane]) {
  console.error(`There is no lane "${lane}"; known are ${Object.keys(LANES).join(', ')}.`);
  process.exit(2);
}

checkNode();
ensureInstalled();
const bin = (name, path) => join(root, 'node_modules', name, path);
const node = (args, env = {}) => run(process.execPath, args, { env: { ...process.env, ...env } });

/** A tool that passes or fails as a whole counts as one. */
const checks = {
  format: () => node([bin('prettier', 'bin/prettier.cjs'), '--check', '.']),
  lint: () => node([bin('eslint', 'bin/eslint.js'), '.', '--max-warnings', '0']),
  types: () =>
    node([bin('svelte-check', 'bin/svelte-check'), '--fail-on-warnings']) ||
    node([bin('typescript', 'bin/tsc'), '-p', 'tsconfig.core.json']) ||
    node([bin('typescript', 'bin/tsc'), '-p', 'tsconfig.json']),
};

/** One vitest project; its tests are counted one by one. */
function vitest(project) {
  const report = join(root, '.cache/tests', `${project}.json`);
  mkdirSync(join(report, '..'), { recursive: true });
  rmSync(report, { force: true });
  const env = lane === 'long' ? { LONG: '1' } : {};
  if (project === 'browser' || project === 'e2e') env.CHROMIUM = ensureChromium();
  if (project === 'e2e') ensureBuilt();
  // Tests that take minutes each are named as they end.
  const shown = `--reporter=${lane === 'long' ? 'verbose' : 'default'}`;
  const reporters = [shown, '--reporter=json', `--outputFile.json=${report}`];
  const status = node(
    [bin('vitest', 'vitest.mjs'), 'run', '--project', project, ...reporters, ...extra],
    env,
  );
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
  // A file that could not be loaded has no tests to fail, and an unhandled error belongs to none.
  const failed = numFailedTests || (status === 0 ? 0 : 1);
  return { passed: numPassedTests, failed, skipped: numPendingTests };
}

const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];
for (const step of LANES[lane]) {
  const start = Date.now();
  console.log(`\n== ${step}`);
  const status = checks[step]?.();
  const result = checks[step]
    ? { passed: Number(status === 0), failed: Number(status !== 0), skipped: 0 }
    : vitest(step);
  for (const key of Object.keys(total)) total[key] += result[key];
  const seconds = ((Date.now() - start) / 1000).toFixed(0);
  lines.push(
    `${step.padEnd(8)} ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped, ${seconds} s`,
  );
}
console.log(`\n${lines.join('\n')}`);
if (total.skipped) console.log(`${total.skipped} skipped: each says above what it needs`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed ? 1 : 0);
