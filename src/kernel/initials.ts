const MAX_INITIALS = 4;

/** `A.B.`: the first letter of each part of a name, in any writing. */
export const initialsOf = (name: string): string =>
  name
    .split(/[\s-]+/u)
    .flatMap((part) => /\p{L}/u.exec(part)?.[0].toUpperCase() ?? [])
    .slice(0, MAX_INITIALS)
    .map((letter) => `${letter}.`)
    .join('');
