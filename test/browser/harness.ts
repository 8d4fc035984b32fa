/** A dashboard for a folder of runs, opened in a real browser. */
import { existsSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { createDashboard, type DashboardOptions, listen } from '../../src/dashboard/server.ts';

/** Paths of Chromium on Debian, other distributions and macOS. */
const places = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** On Linux the set-up installs it; elsewhere the tests are skipped without it. */
export const browserPath =
  places.find((place) => existsSync(place)) ?? (process.platform === 'linux' ? places[0] : undefined);

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
  // A camera of moving colours, and nobody to ask whether it may be used.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];

export interface Opened {
  readonly address: string;
  /** A new page with an empty profile. Its errors are collected in {@link Opened.complaints}. */
  page(hash: string, options?: BrowserContextOptions): Promise<Page>;
  /** Console errors and warnings, and uncaught exceptions. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function openDashboard(options: DashboardOptions): Promise<Opened> {
  const app: FastifyInstance = await createDashboard(options);
  const address = await listen(app, { port: 0, host: '127.0.0.1' });
  return { ...(await openBrowser(address, () => app.close())), address };
}

/** Opens a browser for an address; `onClose` stops the server. */
export async function openBrowser(address: string, onClose: () => Promise<unknown>): Promise<Opened> {
  const browser: Browser = await chromium.launch({
    executablePath: browserPath as string,
    args: flags,
    timeout: 300_000,
  });
  const complaints: string[] = [];
  return {
    address,
    complaints,
    page: async (hash, contextOptions = {}) => {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 900 },
        ...contextOptions,
      });
      // Pages may be slow on a busy machine.
      context.setDefaultTimeout(300_000);
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(`${hash}: ${error.message}`));
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning')
          complaints.push(`${hash}: ${message.text()}`);
      });
      await page.goto(`${address}/${hash}`);
      return page;
    },
    close: async () => {
      await browser.close();
      await onClose();
    },
  };
}

/** How much wider the page is than its window, in pixels; 0 means no horizontal scrolling. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - innerWidth');
