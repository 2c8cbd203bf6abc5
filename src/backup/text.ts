import { BackupError, END_OF_ROWS, MAX_LINE } from './format.ts';

/** Reads what a backup has inside: a line, or the rows up to their end. Keeps no more than a piece of it in memory. */
export interface BackupText {
  /** Without its line break; null at the end of the file. */
  line(): Promise<string | null>;
  /** All rows that come next, in pieces of any size, and takes the line that ends them. Throws `BackupError` when the file ends before. */
  rows(): AsyncGenerator<Buffer, void, undefined>;
}

const LINE_BREAK = 10;
const END = Buffer.from(`\n${END_OF_ROWS}`);

export function createBackupText(source: AsyncIterable<Buffer>): BackupText {
  const pieces = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  /** False at the end of the file. */
  async function more(): Promise<boolean> {
    const next = await pieces.next();
    if (next.done) return false;
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
    return true;
  }
  function take(length: number): Buffer {
    const taken = held.subarray(0, length);
    held = held.subarray(length);
    return taken;
  }

  return {
    async line() {
      for (let searched = 0; ; ) {
        const at = held.indexOf(LINE_BREAK, searched);
        if (at >= 0) return take(at + 1).toString('utf8', 0, at);
        if (held.length > MAX_LINE) throw new BackupError('The file is no backup: it has a line without an end');
        searched = held.length;
        if (await more()) continue;
        return held.length === 0 ? null : take(held.length).toString('utf8');
      }
    },
    async *rows() {
      // The end of the rows is a line of its own, so the line break before it is a part of what is looked for.
      held = Buffer.concat([Buffer.from('\n'), held]);
      let isFirst = true;
      for (;;) {
        const at = held.indexOf(END);
        // What may be the beginning of the end stays.
        const whole = at >= 0 ? at + 1 : Math.max(0, held.length - END.length);
        if (whole > 0) {
          const piece = take(whole);
          const own = isFirst ? piece.subarray(1) : piece;
          isFirst = false;
          if (own.length > 0) yield own;
        }
        if (at >= 0) {
          take(END.length - 1);
          return;
        }
        if (!(await more())) throw new BackupError('The file ends within the rows of a table');
      }
    },
  };
}
