export interface Row {
  readonly group: string;
  readonly name: string;
  readonly result: 'passed' | 'FAILED';
  readonly seconds: number;
  readonly detail: string;
}

/** A part of a Markdown table, so that a row can be printed as soon as its machine was played. */
export function printTable(rows: readonly Row[], { head }: { readonly head: boolean }): void {
  if (head) {
    console.log(`| ${'group'.padEnd(9)} | ${'machine'.padEnd(54)} | result | seconds | detail |`);
    console.log(`| ${'-'.repeat(9)} | ${'-'.repeat(54)} | ------ | ------: | ------ |`);
  }
  for (const { group, name, result, seconds, detail } of rows)
    console.log(`| ${group.padEnd(9)} | ${name.padEnd(54)} | ${result} | ${String(seconds).padStart(7)} | ${detail} |`);
}
