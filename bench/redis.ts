import fs from 'node:fs';
import net from 'node:net';
import { freePort, spawnGuarded, waitUntil } from '../scripts/services/process.ts';

export async function startRedis(directory: string): Promise<{ url: string; pid: number; stop: () => Promise<void> }> {
  fs.mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const settings = { port, bind: '127.0.0.1', dir: directory, appendonly: 'yes', appendfsync: 'everysec', save: '' };
  const redis = await spawnGuarded(
    'redis-server',
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stopSignal: 'SIGTERM', graceMs: 10_000, spawn: { stdio: 'ignore', cwd: directory } },
  );
  await waitUntil(() => answers(port), 10_000);
  return { url: `redis://127.0.0.1:${port}`, pid: redis.pid, stop: redis.stop };
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
