import { describe, expect, it } from 'vitest';
import { withTimeout } from './time-limit.ts';

class Late extends Error {
  override readonly name = 'Late';
}
const error = (reason: unknown): Error => new Late('too late', { cause: reason });

describe('withTimeout', () => {
  it('answers what the work answers, at once or later', async () => {
    await expect(withTimeout({ timeoutMs: 5_000, error }, () => 1)).resolves.toBe(1);
    await expect(withTimeout({ timeoutMs: 5_000, error }, async () => 2)).resolves.toBe(2);
  });

  it('rejects with what the work throws before its first await, and leaves no promise behind', async () => {
    const work = (): never => {
      throw new TypeError('at once');
    };
    await expect(withTimeout({ timeoutMs: 1, error }, work)).rejects.toThrow(TypeError);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 20);
    await promise;
  });

  it('rejects when the time is up, aborts the work, and drops a rejection that comes later', async () => {
    const late = Promise.withResolvers<never>();
    let seen: AbortSignal | undefined;
    const waiting = withTimeout({ timeoutMs: 5, error }, (signal) => {
      seen = signal;
      return late.promise;
    });
    await expect(waiting).rejects.toThrow(Late);
    expect(seen?.aborted).toBe(true);
    late.reject(new Error('nobody waits for this'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('rejects when the signal is aborted, also before it began', async () => {
    const controller = new AbortController();
    const waiting = withTimeout({ signal: controller.signal, error }, () => new Promise<never>(() => undefined));
    controller.abort('gone');
    await expect(waiting).rejects.toMatchObject({ name: 'Late', cause: 'gone' });
    let ran = false;
    const begun = withTimeout({ signal: controller.signal, error }, () => {
      ran = true;
    });
    await expect(begun).rejects.toThrow(Late);
    expect(ran).toBe(false);
  });

  it('lets no signal pile up listeners', async () => {
    const { signal } = new AbortController();
    const added: string[] = [];
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      added.push(args[0]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      added.pop();
      remove(...args);
    };
    await withTimeout({ signal, timeoutMs: 1_000, error }, () => 1);
    await withTimeout({ signal, error }, () => Promise.reject(new Error('no'))).catch(() => undefined);
    expect(added).toEqual([]);
  });

  it('refuses to wait without a limit', async () => {
    await expect(withTimeout({ error }, () => 1)).rejects.toThrow('without a limit');
  });
});
