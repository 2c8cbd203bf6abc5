import { ConfigError, environmentOfProcess } from './config.ts';
import { SEAL_VARIABLES, type SigningKey } from './config-keys.ts';

/** For the programs that need no other keys: migrations, demo data, the first administrator. Throws `ConfigError`. */
export function readFieldKeys(
  environment: Readonly<Record<string, string | undefined>> = environmentOfProcess(),
): readonly SigningKey[] {
  const parsed = SEAL_VARIABLES.FIELD_KEYS.safeParse(environment['FIELD_KEYS'] || undefined);
  if (parsed.success) return parsed.data ?? [];
  throw new ConfigError(parsed.error.issues.map(({ message }) => `FIELD_KEYS: ${message}`).join('\n'));
}
