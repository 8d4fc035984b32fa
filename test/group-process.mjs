/**
 * A process of a group, for group-processes.ts: calls methods of an engine, its store and its group as its parent says, and answers
 * with the result or with the error's name and message. It runs the built package, as every process of a real group does.
 */

const { openTorch } = await import(new URL('../dist/engine/torch.js', import.meta.url).href);

/** @type {import('../src/engine/engine.ts').Engine} */
const engine = openTorch({ device: 'cpu', threads: 1 });
/** @type {import('../src/engine/engine.ts').Store} */
let store;
/** @type {import('../src/engine/engine.ts').TensorGroup} */
let group;

/** @type {Record<string, (...args: any[]) => unknown>} */
const methods = {
  facts: () => engine.facts,
  serveStore: () => engine.serveStore(),
  join: async ({ abortAfterMs, ...options }) => {
    const signal = abortAfterMs === undefined ? undefined : AbortSignal.timeout(abortAfterMs);
    group = await engine.join({ ...options, ...(signal && { signal }) });
  },
  createStore: async (spec) => {
    store = await engine.createStore(spec);
  },
  write: (name, data) => store.write(name, data),
  read: async (name) => (await store.read(name)).data,
  checksum: (name) => store.checksum(name),
  broadcast: (name) => group.broadcast(store, name),
  traffic: () => group.traffic(),
  abort: (reason) => group.abort(reason),
  leave: () => group.leave(),
  close: () => engine.close(),
  run: async (program, inputs) => {
    const loaded = await engine.load(program, store);
    try {
      return await loaded.run(inputs);
    } finally {
      loaded.release();
    }
  },
  exit: (code) => process.exit(code),
};

process.on(
  'message',
  async (/** @type {{ id: number, method: string, args: unknown[] }} */ { id, method, args }) => {
    try {
      process.send?.({ id, result: await methods[method]?.(...args) });
    } catch (thrown) {
      const { name, message } = /** @type {Error} */ (thrown);
      process.send?.({ id, error: { name, message } });
    }
  },
);
