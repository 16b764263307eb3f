// Runs a TypeScript script through the project's own tool chain: `node scripts/run.mjs scripts/bench.ts --flags`.
// Vite bundles it for Node into .cache/scripts/ (packages stay outside the bundle), then it is imported here.
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';

const [entry, ...args] = process.argv.slice(2);
const root = resolve(import.meta.dirname, '..');
const name = basename(entry, '.ts');
const outDir = resolve(root, '.cache/scripts', name);
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  publicDir: false,
  build: {
    ssr: resolve(root, entry),
    outDir,
    emptyOutDir: true,
    target: 'node20',
    sourcemap: 'inline',
    rollupOptions: { output: { entryFileNames: `${name}.mjs` } },
  },
});
process.setSourceMapsEnabled(true);
process.argv = [process.argv[0], resolve(root, entry), ...args];
await import(pathToFileURL(resolve(outDir, `${name}.mjs`)).href);
