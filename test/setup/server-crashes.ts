/**
 * What the log of a Postgres server says of its processes that ended by a signal, each with the statement that it was running. One
 * that was killed (9) was killed by somebody: by a test, or by the server itself when it stops at once.
 */
export function crashesIn(log: string): readonly string[] {
  return [...log.matchAll(CRASH)].map(([, how = '', statement]) =>
    statement === undefined ? how : `${how}, running: ${statement.replaceAll(/\s+/g, ' ').trim()}`,
  );
}

/** The lines of a statement follow the first one behind a tab. */
const CRASH =
  /^.*LOG: {2}(.* was terminated by signal (?!9\b)\d+.*)(?:\n.*DETAIL: {2}Failed process was running: (.*(?:\n\t.*)*))?/gm;
