// What `npm start` and `npm test` need before anything else runs: plain Node, no packages.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');
const LEAST_NODE = [20, 19];

/** Ends the program with one clear line. */
export function stop(message) {
  console.error(message);
  process.exit(1);
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  stop(`Node ${process.versions.node} is too old; Darkfield needs ${LEAST_NODE.join('.')} or newer.`);
}

export function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status ?? 1;
}

/** npm itself, by the path it was called with: the same version, also where it is not on the PATH. */
function npm(args) {
  const path = process.env.npm_execpath;
  return path
    ? run(process.execPath, [path, ...args])
    : run('npm', args, { shell: process.platform === 'win32' });
}

function hashOf(paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    if (!existsSync(join(root, path))) return;
    const entries = readdirSync(join(root, path), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) add(inside);
      else hash.update(inside).update(readFileSync(join(root, inside)));
    }
  };
  for (const path of paths) {
    if (/\.[a-z]+$/.test(path)) hash.update(path).update(readFileSync(join(root, path)));
    else add(path);
  }
  return hash.digest('hex');
}

/** Runs `work` unless its inputs are the ones it last succeeded with. */
function unlessUnchanged(stamp, inputs, present, work) {
  const file = join(root, stamp);
  const now = `${hashOf(inputs)} ${process.version}`;
  if (present() && existsSync(file) && readFileSync(file, 'utf8') === now) return;
  work();
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, now);
}

export function ensureInstalled() {
  const packages = join(root, 'node_modules');
  unlessUnchanged(
    'node_modules/.darkfield-installed',
    ['package-lock.json', 'package.json'],
    () => existsSync(packages),
    () => {
      console.log('Installing packages…');
      if (npm(['ci', '--no-audit', '--no-fund']))
        stop('The packages could not be installed; see the lines above.');
    },
  );
}

export function ensureBuilt() {
  const inputs = [
    'src',
    'workers',
    'public',
    'index.html',
    'vite.config.ts',
    'svelte.config.js',
    'package-lock.json',
  ];
  unlessUnchanged(
    '.cache/built',
    inputs,
    () => existsSync(join(root, 'dist/index.html')),
    () => {
      console.log('Building…');
      if (run(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn']))
        stop('The build failed; see the lines above.');
    },
  );
}

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(':');
  for (const name of BROWSERS)
    for (const folder of folders) if (existsSync(join(folder, name))) return join(folder, name);
  return ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'].find(existsSync);
}

/** Path of a Chromium; installed by the system's package manager when that is possible. */
export function ensureChromium() {
  const found = findChromium();
  if (found) return found;
  const canInstall = process.getuid?.() === 0 && run('apt-get', ['--version'], { stdio: 'ignore' }) === 0;
  if (canInstall) {
    console.log('Installing Chromium…');
    const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    run('apt-get', ['update', '-qq'], quiet);
    run('apt-get', ['install', '-y', '-qq', 'chromium'], quiet);
    const installed = findChromium();
    if (installed) return installed;
  }
  return stop('The browser tests need Chromium: install it, or name one in the variable CHROMIUM.');
}
