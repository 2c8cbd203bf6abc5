/** A copy of the seals outside of the database, where lines are only added. Each process that keeps the watch has its own. */
export interface SealCopy {
  /** The number of its newest seal; 0 of an empty copy. */
  last(): Promise<number>;
  /** Lines by the numbers of their seals, from the `no`th on, of at most so many numbers. Of two with one number, the first. */
  read(no: number, most: number): Promise<ReadonlyMap<number, string>>;
  /** Lines of the seals from the `no`th on, one for each number. They are on the disk when it resolves. */
  append(no: number, lines: readonly string[]): Promise<void>;
}
