/** The outside, as a saga's port sees it: acts once per key, and keeps an append-only record of what it did. */
export interface Provider {
  /** Acts, or answers as it did for this key before. Refuses a key that was cancelled before it came. */
  act(key: string): Promise<{ readonly reference: string }>;
  /** Takes back what `forwardKey` did, if it did; whatever comes under that key later does nothing any more. */
  cancel(key: string, forwardKey: string): Promise<{ readonly cancelled: boolean }>;
  readonly record: readonly ProviderEntry[];
  /** Effects of one saga: +1 for each act, -1 for each that was taken back. */
  netOf(sagaId: string): number;
}
export interface ProviderEntry {
  readonly what: 'request' | 'acted' | 'cancelled' | 'settled';
  readonly key: string;
}

export function createProvider(): Provider {
  const record: ProviderEntry[] = [];
  const has = (what: ProviderEntry['what'], key: string): boolean =>
    record.some((entry) => entry.what === what && entry.key === key);
  return {
    record,
    async act(key) {
      record.push({ what: 'request', key });
      if (has('settled', key)) throw new Error(`${key} was cancelled`);
      if (!has('acted', key)) record.push({ what: 'acted', key });
      return { reference: `ref-${key}` };
    },
    async cancel(key, forwardKey) {
      record.push({ what: 'request', key });
      if (has('acted', forwardKey) && !has('settled', forwardKey)) record.push({ what: 'cancelled', key });
      if (!has('settled', forwardKey)) record.push({ what: 'settled', key: forwardKey });
      return { cancelled: has('cancelled', key) };
    },
    netOf: (sagaId) =>
      record
        .filter(({ key }) => key.startsWith(`${sagaId}-`))
        .reduce((net, { what }) => net + (what === 'acted' ? 1 : what === 'cancelled' ? -1 : 0), 0),
  };
}
