// `npm start`: installs what is missing, builds what has changed, serves on 127.0.0.1, opens the browser.
import { spawn } from 'node:child_process';
import { checkNode, ensureBuilt, ensureInstalled, root, stop } from './prepare.mjs';

checkNode();
ensureInstalled();
ensureBuilt();

const port = Number(process.env.PORT ?? 4173);
if (!Number.isInteger(port) || port < 1 || port > 65535)
  stop(`PORT is ${process.env.PORT}; it has to be a number from 1 to 65535.`);

const { preview } = await import('vite');
let server;
try {
  server = await preview({ root, logLevel: 'warn', preview: { host: '127.0.0.1', port, strictPort: true } });
} catch (error) {
  stop(
    /already in use/.test(error.message)
      ? `Port ${port} is in use; choose another: PORT=${port + 1} npm start`
      : `The server could not be started: ${error.message}`,
  );
}
const address = `http://127.0.0.1:${port}/`;
console.log(`Darkfield runs at ${address} (Ctrl+C ends it)`);

for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    void server.close().finally(() => process.exit(0));
    // A browser may keep its connection open; that is no reason to wait.
    setTimeout(() => process.exit(0), 500).unref();
  });

if (!process.env.CI && !process.env.NO_OPEN) {
  const [command, ...args] = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] }[process.platform] ?? [
    'xdg-open',
  ];
  const opener = spawn(command, [...args, address], { stdio: 'ignore', detached: true });
  // Without a desktop there is nothing to open; the address stands above.
  opener.on('error', () => undefined);
  opener.unref();
}
