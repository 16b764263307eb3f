import { availableParallelism } from 'node:os';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { CHROMIUM_FLAGS } from './tests/support/chromium';

/** Threads in WebAssembly need cross-origin isolation. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Tests in Node share nothing but modules: one file a core, each ONNX Runtime session on one thread. */
const inNode = {
  environment: 'node',
  maxWorkers: availableParallelism(),
  isolate: false,
  restoreMocks: true,
} as const;

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [svelte()],
        // State classes use runes; they are tested as the browser runs them.
        resolve: { conditions: ['browser'] },
        test: {
          ...inNode,
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/e2e/**', 'tests/**/*.{browser,golden,slow}.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...inNode,
          name: 'golden',
          include: ['tests/**/*.golden.test.ts'],
          testTimeout: 300_000,
        },
      },
      {
        test: {
          // Whole fits; apart from the rest, so that the fast lane stays fast.
          ...inNode,
          // Of shared workers one stood idle while the other took the last files.
          isolate: true,
          name: 'slow',
          include: ['tests/**/*.slow.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        plugins: [svelte(), tailwindcss()],
        server: { headers: isolation },
        optimizeDeps: { exclude: ['onnxruntime-web'] },
        test: {
          name: 'browser',
          include: ['tests/**/*.browser.test.ts'],
          globalSetup: ['tests/support/browser-expectations.ts'],
          // All steps of every method (`npm run test:long`): f-AnoGAN alone takes many minutes on the software adapter.
          testTimeout: process.env.LONG ? 3_600_000 : 240_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
                args: CHROMIUM_FLAGS,
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: ['tests/e2e/server.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 60_000, interval: 100 } },
          // One browser at a time: two cores are few.
          fileParallelism: false,
        },
      },
    ],
  },
});
