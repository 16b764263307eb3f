/** Serves the built app for the end-to-end tests, as `npm start` does. */
import { preview } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    address: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await preview({ logLevel: 'error', preview: { host: '127.0.0.1', port: 4180 } });
  project.provide('address', server.resolvedUrls!.local[0]);
  return () => server.close();
}
