/**
 * The function with its answers remembered, for a pure one that is dear and is asked about few different texts. It
 * remembers the first `max` of them, so texts from outside cannot fill the memory.
 */
export function remembered<Answer>(max: number, compute: (text: string) => Answer): (text: string) => Answer {
  const answers = new Map<string, { readonly answer: Answer }>();
  return (text) => {
    const known = answers.get(text);
    if (known) return known.answer;
    const answer = compute(text);
    if (answers.size < max) answers.set(text, { answer });
    return answer;
  };
}
