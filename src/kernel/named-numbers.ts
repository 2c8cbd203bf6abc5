const ENTRY = /^([a-z-]+)=([1-9]\d*)$/;

/**
 * Positive integers by name as a setting has them, `photos=365,mailbox=30`; what is not named keeps its default. Null: it is not
 * well-formed, names something else, or a number is more than `most`.
 */
export function readNamedNumbers<Name extends string>(
  text: string,
  defaults: Readonly<Record<Name, number>>,
  most: number,
): Readonly<Record<Name, number>> | null {
  const isName = (name: string): name is Name => Object.hasOwn(defaults, name);
  const read: Record<Name, number> = { ...defaults };
  for (const entry of text.split(',')) {
    const [, name = '', number = ''] = ENTRY.exec(entry.trim()) ?? [];
    if (!isName(name) || Number(number) > most) return null;
    read[name] = Number(number);
  }
  return read;
}
