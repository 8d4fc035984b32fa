import { describe, expect, it } from 'vitest';
import { availableOnLinux } from './available-memory.ts';

const meminfo = 'MemTotal:       16000 kB\nMemAvailable:    8000 kB\nSwapFree:        1000 kB\n';
const system = (files: Readonly<Record<string, string>>) => async (path: string) => files[path];

describe('the memory that is available', () => {
  it('is what Linux estimates, with what is free of the swap space', async () => {
    expect(await availableOnLinux(system({ '/proc/meminfo': meminfo }))).toBe(9000 * 1024);
  });

  it('is not more than the control group’s limit, in whose use cached files do not count', async () => {
    const group = {
      '/proc/meminfo': meminfo,
      '/sys/fs/cgroup/memory.max': '3000000\n',
      '/sys/fs/cgroup/memory.current': '2500000\n',
      '/sys/fs/cgroup/memory.stat': 'anon 1000\ninactive_file 400000\nactive_file 7\n',
    };
    expect(await availableOnLinux(system(group))).toBe(900_000);
    expect(await availableOnLinux(system({ ...group, '/sys/fs/cgroup/memory.max': 'max\n' }))).toBe(
      9000 * 1024,
    );
    const first = {
      '/proc/meminfo': meminfo,
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '3000000\n',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': '1000000\n',
      '/sys/fs/cgroup/memory/memory.stat': 'cache 1\ntotal_inactive_file 5\n',
    };
    expect(await availableOnLinux(system(first))).toBe(2_000_005);
  });

  it('is not known where there is no /proc', async () => {
    expect(await availableOnLinux(system({}))).toBeUndefined();
  });
});
