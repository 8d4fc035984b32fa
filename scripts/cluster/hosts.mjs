/**
 * Hosts of a cluster on one machine: network namespaces, each with a name and an address (worker-1 at 10.77.0.1, …), joined by veth pairs to a
 * bridge that has a namespace of its own, so that the machine's network is not touched. Rates are limited at both ends of each cable.
 *
 *   node scripts/cluster/hosts.mjs [options] -- COMMAND …     COMMAND on every host, with RANK, WORLD_SIZE, MASTER_ADDR, … set
 *   node scripts/cluster/hosts.mjs [options] --check          measures what the hosts, their rates and their faults really do
 *
 * Options: --hosts 2; --rate 1gbit, 10gbit or any rate of tc; --delay 0.5ms, on each cable; --loss 5, percent; --pin 0,1: cores, by turns.
 * Without a COMMAND and --check the hosts stay until Ctrl+C, for `ip netns exec`.
 *
 * Linux, root, iproute2, and iptables for losses. Delays need netem, which not every kernel has (CONFIG_NET_SCH_NETEM): without it they are
 * left out, with a notice, and all packets take the few microseconds that a veth pair takes; rates are then tbf's.
 */
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** @typedef {{ rank: number, name: string, address: string, namespace: string }} Host from rank 0 and worker-1 */

const prefix = 'inception-hosts';

/**
 * Makes the hosts. They are removed by `close`, and when this process exits, be it by an error or a signal (not SIGKILL: the next call
 * removes what that left).
 * @param {{ count: number, rate?: string, delay?: string, onNotice?: (line: string) => void }} options
 */
export function createHosts({ count, rate, delay, onNotice = (line) => process.stderr.write(`${line}\n`) }) {
  if (process.getuid?.() !== 0) throw new Error('hosts are network namespaces, which only root can make');
  removeLeftovers();
  const own = `${prefix}-${process.pid}`;
  const bridge = `${own}-switch`;
  /** @type {Host[]} */
  const hosts = Array.from({ length: count }, (_, rank) => ({
    rank,
    name: `worker-${rank + 1}`,
    address: `10.77.0.${rank + 1}`,
    namespace: `${own}-${rank + 1}`,
  }));
  const children = new Set();

  const close = () => {
    process.off('exit', close);
    for (const [signal, handler] of handlers) process.off(signal, handler);
    for (const child of children) child.kill('SIGKILL');
    for (const namespace of [...hosts.map((host) => host.namespace), bridge]) removeNamespace(namespace);
  };
  const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => [
    signal,
    () => process.exit(128 + constants.signals[signal]),
  ]);
  process.on('exit', close);
  for (const [signal, handler] of handlers) process.on(signal, handler);

  const isDelayed = delay !== undefined && hasNetem(onNotice);
  ip('netns', 'add', bridge);
  ip('-n', bridge, 'link', 'add', 'switch', 'type', 'bridge');
  ip('-n', bridge, 'link', 'set', 'switch', 'up');
  for (const { namespace, address, rank } of hosts) {
    ip('netns', 'add', namespace);
    const port = `port${rank + 1}`;
    ip('link', 'add', port, 'netns', bridge, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', bridge, 'link', 'set', port, 'master', 'switch');
    ip('-n', bridge, 'link', 'set', port, 'up');
    for (const device of ['lo', 'eth0']) ip('-n', namespace, 'link', 'set', device, 'up');
    const ends = [
      [namespace, 'eth0'],
      [bridge, port],
    ];
    for (const end of ends) shape(end, { rate, delay: isDelayed ? delay : undefined });
  }
  // Until the addresses of the machines are known a first packet may be lost.
  const portOf = ({ rank }) => `port${rank + 1}`;

  return {
    hosts,
    close,
    /** Whether delays were asked for and are there. */
    isDelayed,

    /**
     * Starts a command on a host. The child's process id is the command's own.
     * @param {Host} host
     * @param {readonly string[]} command
     * @param {{ env?: Record<string, string>, pin?: number, stdio?: import('node:child_process').StdioOptions }} [options]
     */
    start(host, command, { env = {}, pin, stdio = 'pipe' } = {}) {
      const pinned = pin === undefined ? command : ['taskset', '-c', `${pin}`, ...command];
      // Every program here replaces itself by the next one.
      const named = ['unshare', '--uts', 'sh', '-c', 'hostname "$0" && exec "$@"', host.name, ...pinned];
      const child = spawn('ip', ['netns', 'exec', host.namespace, ...named], {
        env: { ...process.env, ...env },
        stdio,
      });
      children.add(child);
      child.once('close', () => children.delete(child));
      return child;
    },

    /** What a process of a group finds in its environment. One process on each host. */
    environmentOf({ rank }, { port = 29_500, size = count } = {}) {
      return {
        ...{ RANK: `${rank}`, WORLD_SIZE: `${size}`, LOCAL_RANK: '0', LOCAL_WORLD_SIZE: '1' },
        ...{ MASTER_ADDR: /** @type {Host} */ (hosts[0]).address, MASTER_PORT: `${port}` },
        // PyTorch looks the interface up by the host's name, which nobody knows here.
        GLOO_SOCKET_IFNAME: 'eth0',
      };
    },

    /** As if its cable were pulled out or put in: the interface stays, and has no carrier. */
    setCable(host, isIn) {
      ip('-n', bridge, 'link', 'set', portOf(host), isIn ? 'up' : 'down');
    },

    /** Every packet that arrives at a host is lost with this probability, in percent; 0 ends it. */
    setLoss(host, percent) {
      const iptables = (...args) => run('ip', ['netns', 'exec', host.namespace, 'iptables', ...args]);
      iptables('-F', 'INPUT');
      const random = ['-m', 'statistic', '--mode', 'random', '--probability', `${percent / 100}`];
      if (percent > 0) iptables('-A', 'INPUT', '-i', 'eth0', ...random, '-j', 'DROP');
    },

    /** Bytes and packets by which a host's cable was used since it was made, with the headers of all layers. */
    traffic(host) {
      const text = run('ip', ['-n', host.namespace, '-j', '-s', 'link', 'show', 'dev', 'eth0']);
      const [{ stats64: counts }] = JSON.parse(text);
      return { sent: counts.tx.bytes, received: counts.rx.bytes, packets: counts.tx.packets };
    },

    /**
     * Sends packets of the size of the wire instead of 64 KB ones that are never cut: only then is a loss of 5% what it is on a real cable. Costs
     * processor time. Connections that were opened before keep what they had.
     */
    sendSinglePackets() {
      for (const { namespace } of hosts) ip('-n', namespace, 'link', 'set', 'eth0', 'gso_max_segs', '1');
    },
  };
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(
      `${command} ${args.join(' ')}: ${error?.message ?? (stderr.trim() || `exit code ${status}`)}`,
    );
  return stdout;
}

const ip = (...args) => run('ip', args);

/** Whether the kernel delays packets, tried on a namespace's loopback. */
function hasNetem(onNotice) {
  const namespace = `${prefix}-${process.pid}-try`;
  ip('netns', 'add', namespace);
  try {
    ip('netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms');
    return true;
  } catch (error) {
    onNotice(`no delays: this kernel has no netem (${error.message.split(': ').slice(1).join(': ')})`);
    return false;
  } finally {
    ip('netns', 'del', namespace);
  }
}

/** Limits what leaves by an interface. */
function shape([namespace, device], { rate, delay }) {
  const tc = (...args) => ip('netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, ...args);
  if (delay !== undefined) {
    const limited = rate === undefined ? [] : ['rate', rate];
    tc('root', 'netem', 'delay', delay, ...limited, 'limit', '100000');
  } else if (rate !== undefined) {
    // A burst holds a few of the packets of 64 KB that veth passes on whole; the queue is that of a good switch.
    tc('root', 'tbf', 'rate', rate, 'burst', '512kb', 'latency', '20ms');
  }
}

function removeNamespace(namespace) {
  const { status, stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  if (status !== 0) return;
  for (const pid of stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended in the meantime.
    }
  }
  spawnSync('ip', ['netns', 'del', namespace]);
}

/** Namespaces of processes of this script that were killed. */
function removeLeftovers() {
  for (const line of ip('netns', 'list').split('\n')) {
    const [, namespace, pid] = new RegExp(`^(${prefix}-(\\d+)-\\w+)`).exec(line) ?? [];
    if (namespace === undefined) continue;
    try {
      process.kill(Number(pid), 0);
    } catch {
      removeNamespace(namespace);
    }
  }
}

/** What the kernel makes of it all. */
async function check(cluster) {
  const { hosts } = cluster;
  const [first, second] = hosts;
  const ask = (host, code, ...args) => {
    const child = cluster.start(host, [process.execPath, '-e', code, ...args]);
    let text = '';
    let errors = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    return new Promise((resolve, reject) =>
      child.on('close', (code) => (code === 0 ? resolve(text.trim()) : reject(new Error(errors || text)))),
    );
  };
  const receiver = `
    const server = require('node:net').createServer((socket) => {
      let [bytes, begin] = [0, performance.now()];
      socket.on('data', (chunk) => { bytes += chunk.length; });
      socket.on('end', () => {
        const seconds = (performance.now() - begin) / 1000;
        console.log((bytes * 8 / 1e9 / seconds).toFixed(2) + ' Gbit/s');
        socket.end();
        server.close();
      });
    }).listen(5000);`;
  const sender = `
    const socket = require('node:net').connect(5000, process.argv[1], async () => {
      const block = Buffer.alloc(1 << 20);
      const end = performance.now() + 2000;
      while (performance.now() < end)
        if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve));
      socket.end();
    }).on('error', (error) => { console.error(error.message); process.exit(1); });
    socket.resume();`;
  const throughput = async () => {
    const received = ask(second, receiver);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await ask(first, sender, second.address);
    return received;
  };
  const pings = (code) => `
    const socket = require('node:dgram').createSocket('udp4');
    ${code}`;
  const answering = pings(`
    socket.bind(5001);
    socket.on('message', (text, { port, address }) => socket.send(text, port, address));
    setTimeout(() => socket.close(), 3500);`);
  const asking = pings(`
    const times = [];
    socket.on('message', (text) => { times.push(performance.now() - Number(text)); });
    let left = 1000;
    const timer = setInterval(() => {
      for (let count = 0; count < 5; count++) socket.send(String(performance.now()), 5001, process.argv[1]);
      if ((left -= 5) <= 0) { clearInterval(timer); setTimeout(() => {
        times.sort((a, b) => a - b);
        console.log(times.length + ' of 1000 answers, median ' + (times[times.length >> 1] ?? NaN).toFixed(2) + ' ms');
        socket.close();
      }, 300); }
    }, 10);`);
  const echoes = async () => {
    const answered = ask(second, answering);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const text = await ask(first, asking, second.address);
    await answered;
    return text;
  };
  const say = (line) => process.stdout.write(`${line}\n`);
  for (const host of hosts) {
    const name = await ask(host, 'console.log(require("node:os").hostname())');
    say(`${name}: ${host.address}`);
  }
  say(`${first.name} to ${second.name}: ${await throughput()}; ${JSON.stringify(cluster.traffic(first))}`);
  say(`there and back: ${await echoes()}`);
  for (const host of hosts) cluster.setLoss(host, 5);
  say(`the same with 5% lost each way: ${await echoes()}`);
  for (const host of hosts) cluster.setLoss(host, 0);
  cluster.setCable(second, false);
  say(`with the cable of ${second.name} out: ${await echoes()}`);
  cluster.setCable(second, true);
  say(`and in again: ${await echoes()}`);
}

/** The command on every host; the exit code is the first that is not 0. */
async function runEverywhere(cluster, command, cores) {
  const codes = cluster.hosts.map((host) => {
    const pin = cores.length > 0 ? cores[host.rank % cores.length] : undefined;
    const child = cluster.start(host, command, {
      ...{ env: cluster.environmentOf(host), pin },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ])
      createInterface({ input: from }).on('line', (line) => to.write(`${host.name} | ${line}\n`));
    return new Promise((resolve) =>
      child.on('close', (code, signal) => {
        process.stderr.write(`${host.name}: ${signal ?? `exit code ${code}`}\n`);
        resolve(code ?? 1);
      }),
    );
  });
  return (await Promise.all(codes)).find((code) => code !== 0) ?? 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      hosts: { type: 'string', default: '2' },
      rate: { type: 'string' },
      delay: { type: 'string' },
      loss: { type: 'string', default: '0' },
      pin: { type: 'string', default: '' },
      check: { type: 'boolean', default: false },
    },
  });
  const { rate, delay } = values;
  const cluster = createHosts({ count: Number(values.hosts), rate, delay });
  for (const host of cluster.hosts) if (Number(values.loss) > 0) cluster.setLoss(host, Number(values.loss));
  const cores = values.pin.split(',').filter(Boolean).map(Number);
  if (values.check) await check(cluster);
  else if (positionals.length > 0) process.exitCode = await runEverywhere(cluster, positionals, cores);
  else {
    for (const { name, namespace } of cluster.hosts)
      process.stdout.write(`${name}: ip netns exec ${namespace} COMMAND\n`);
    await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
  }
  cluster.close();
}
