/** One process of a group, for tests that end and stop it: joins, does what GROUP_SCRIPT says, and reports each step as a line of JSON. */
const { joinGroup } = await import(new URL('../dist/distributed/join-group.js', import.meta.url).href);
const { launchedBy } = await import(new URL('../dist/distributed/launcher.js', import.meta.url).href);

/** @param {object} line */
const say = (line) =>
  process.stdout.write(`${JSON.stringify({ rank: launched.rank, pid: process.pid, ...line })}\n`);
/** @param {number} ms */
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());

const launched = launchedBy(process.env);
const options = JSON.parse(process.env.GROUP_OPTIONS ?? '{}');

/** @type {Record<string, (group: any, argument: string) => unknown>} */
const steps = {
  gather: (group, value) => group.gather(value),
  /** Long values: the length of each is the result. */
  long: async (group, length) =>
    (await group.gather(String(group.rank).repeat(Number(length)))).map(
      (/** @type {string} */ text) => text.length,
    ),
  fromFirst: (group, value) => group.fromFirst(value + group.rank),
  barrier: (group) => group.barrier(),
  wait: (_, ms) => delay(Number(ms)),
  /** Keeps the main thread busy. */
  block: (_, ms) => {
    const end = performance.now() + Number(ms);
    while (performance.now() < end);
  },
  exit: (group, rank) => group.rank === Number(rank) && process.exit(3),
  /** In the first attempt only. */
  failOnce: (group, rank) =>
    group.rank === Number(rank) && process.env.TORCHELASTIC_RESTART_COUNT === '0' && process.exit(3),
};

try {
  const group = await joinGroup(launched, {
    ...options,
    onNotice: (/** @type {string} */ notice) => say({ notice }),
  });
  const { size, localRank, localSize, address } = group;
  say({ joined: { size, localRank, localSize, address, attempt: launched.attempt } });
  try {
    const lost = new Promise((_, reject) =>
      group.lost.addEventListener('abort', () => reject(group.lost.reason), { once: true }),
    );
    lost.catch(() => undefined);
    for (const step of (process.env.GROUP_SCRIPT ?? '').split(',').filter(Boolean)) {
      const [name = '', argument = ''] = step.split(' ');
      say({ step, result: await Promise.race([steps[name]?.(group, argument), lost]) });
    }
  } finally {
    await group.close();
  }
  say({ ended: true });
} catch (error) {
  const { name, message, rank } = /** @type {Error & { rank?: number }} */ (error);
  say({ error: { name, message, rank } });
  process.exitCode = 1;
}
