/**
 * What the account of the programs may do in Redis (docs/security.md K12): read and write keys of queues, by scripts and in transactions, and
 * tell others of changed rights. Not: empty it, list or count what is there, change its settings, its scripts or its accounts, stop it. `INFO` says
 * whether it throws jobs away.
 */

/** In the words of Redis, in the order in which they count. */
export const REDIS_COMMANDS = [
  '-@all',
  ...['+@read', '+@write', '+@connection', '+@transaction', '+@pubsub'],
  ...['-@admin', '-@dangerous', '-@scripting', '-pubsub', '-scan', '-randomkey', '-dbsize'],
  // By names that Redis 6.2 has as well: it refuses the whole line for one that it does not know, such as `function`.
  ...['+eval', '+evalsha'],
  ...['+info', '+client|setname'],
] as const;

/** The account of the programs. */
export const REDIS_USER = 'roomy';

/** Keys and channels of one installation, or of any (`QUEUE_PREFIX`): all of its names begin with the prefix in braces. */
const names = (prefix: string | undefined): readonly string[] =>
  prefix === undefined ? ['~{*}:*', '&{*}:*'] : [`~{${prefix}}:*`, `&{${prefix}}:*`];

/** A line of the configuration of Redis. `proof`: `>` and the password, or `#` and its SHA-256 in hex. */
export const redisUser = (proof: string, prefix?: string): string =>
  [
    'user',
    REDIS_USER,
    'on',
    'resetpass',
    proof,
    'resetkeys',
    'resetchannels',
    ...names(prefix),
    ...REDIS_COMMANDS,
  ].join(' ');
