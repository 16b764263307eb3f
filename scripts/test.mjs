// `npm test`: installs what it needs and runs everything; `fast` and `golden` run parts, `long` what takes too long for
// every day: as many steps on the software WebGPU adapter as on WebAssembly.
// The last line reads `N passed, N failed`.
import { spawn } from 'node:child_process';
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

/** A tool that passes or fails as a whole counts as one; its commands run one after the other. */
const CHECKS = {
  format: [[bin('prettier', 'bin/prettier.cjs'), '--check', '.']],
  lint: [[bin('eslint', 'bin/eslint.js'), '.', '--max-warnings', '0']],
  types: [
    [bin('svelte-check', 'bin/svelte-check'), '--fail-on-warnings'],
    [bin('typescript', 'bin/tsc'), '-p', 'tsconfig.core.json'],
    [bin('typescript', 'bin/tsc'), '-p', 'tsconfig.json'],
  ],
};

/** Its lines come once it has ended: others run beside it. @returns whether it succeeded */
function quietly(args) {
  return new Promise((settle) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = [];
    child.stdout.on('data', (chunk) => lines.push(chunk));
    child.stderr.on('data', (chunk) => lines.push(chunk));
    child.on('close', (status) => {
      process.stdout.write(Buffer.concat(lines));
      settle(status === 0);
    });
  });
}

async function check(name) {
  for (const args of CHECKS[name]) if (!(await quietly(args))) return { passed: 0, failed: 1, skipped: 0 };
  return { passed: 1, failed: 0, skipped: 0 };
}

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

async function take(step, work) {
  const start = Date.now();
  const result = await work();
  for (const key of Object.keys(total)) total[key] += result[key];
  const seconds = ((Date.now() - start) / 1000).toFixed(0);
  lines.push(
    `${step.padEnd(8)} ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped, ${seconds} s`,
  );
}

// Checks use a core each; tests use all there are.
const checks = LANES[lane].filter((step) => CHECKS[step]);
if (checks.length) console.log(`\n== ${checks.join(', ')}`);
await Promise.all(checks.map((step) => take(step, () => check(step))));
for (const step of LANES[lane].filter((other) => !CHECKS[other])) {
  console.log(`\n== ${step}`);
  await take(step, () => vitest(step));
}
console.log(`\n${lines.join('\n')}`);
if (total.skipped) console.log(`${total.skipped} skipped: each says above what it needs`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed ? 1 : 0);
