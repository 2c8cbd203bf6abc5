import { describe, expect, it } from 'vitest';
import { RoomyError } from '../../kernel/errors.ts';
import { csvLine, readSettlementFile } from './settlement-file.ts';

const HEADER = 'type,reference,provider_id,amount,currency,fee,date,settled';
const GOOD = 'charge,ref-1,ch-1,1000.00,AED,29.00,2024-02-01T10:00:00Z,yes';

async function* pieces(text: string | Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}
const read = (...lines: readonly string[]) => readSettlementFile(pieces(lines.join('\r\n')), 'UTC');
async function refusal(text: string | Uint8Array): Promise<unknown> {
  const error = await readSettlementFile(pieces(text, 4_096), 'UTC').catch((thrown: unknown) => thrown);
  if (!(error instanceof RoomyError)) throw error;
  return error.code === 'SETTLEMENT_FILE_INVALID' ? error.details : error.code;
}

describe('a settlement file', () => {
  it('is read in pieces of any size, with its columns in any order and case, a mark at its head and blank lines', async () => {
    const file = await readSettlementFile(
      pieces(
        '\uFEFFSettled,TYPE,reference,provider_id,amount,currency,fee,date\n\nno,Refund,ref-2,re-1,1.005,KWD,,2024-02-03\n',
        1,
      ),
      'Asia/Dubai',
    );
    expect(file.movements).toEqual([
      {
        kind: 'REFUND',
        reference: 'ref-2',
        providerId: 're-1',
        amountMinor: 1_005,
        feeMinor: null,
        currency: 'KWD',
        // A bare date is the whole day, in Dubai from eight in the evening before.
        at: new Date('2024-02-02T20:00:00Z'),
        settled: false,
        failed: false,
      },
    ]);
  });

  it('covers the time from its first movement until just after its last, a bare date being a whole day', async () => {
    const { from, to, sha256 } = await read(HEADER, GOOD, 'payout,po-1,po-1,5,AED,0,2024-02-02,no');
    expect([from.toISOString(), to.toISOString()]).toEqual(['2024-02-01T10:00:00.000Z', '2024-02-03T00:00:00.000Z']);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await read(HEADER, GOOD)).to.toISOString()).toBe('2024-02-01T10:00:00.001Z');
  });

  it.each([
    ['an unknown type', 'cash,ref-1,ch-1,1,AED,0,2024-02-01,yes', { line: 3, column: 'type', reason: 'INVALID' }],
    ['no reference', 'charge,,ch-1,1,AED,0,2024-02-01,yes', { line: 3, column: 'reference', reason: 'INVALID' }],
    [
      'a blank in an id',
      'charge,ref,c h,1,AED,0,2024-02-01,yes',
      { line: 3, column: 'provider_id', reason: 'INVALID' },
    ],
    [
      'too many decimals',
      'charge,ref,ch,1.005,AED,0,2024-02-01,yes',
      { line: 3, column: 'amount', reason: 'AMOUNT_PRECISION' },
    ],
    ['a negative amount', 'charge,ref,ch,-1,AED,0,2024-02-01,yes', { line: 3, column: 'amount' }],
    ['nothing', 'charge,ref,ch,0,AED,0,2024-02-01,yes', { line: 3, column: 'amount', reason: 'AMOUNT_NOT_POSITIVE' }],
    ['an odd fee', 'charge,ref,ch,1,AED,x,2024-02-01,yes', { line: 3, column: 'fee' }],
    ['no currency', 'charge,ref,ch,1,aed,0,2024-02-01,yes', { line: 3, column: 'currency', reason: 'INVALID' }],
    ['no real date', 'charge,ref,ch,1,AED,0,2024-13-01,yes', { line: 3, column: 'date', reason: 'INVALID' }],
    ['a day that is not in the calendar', 'charge,ref,ch,1,AED,0,2026-02-31,yes', { line: 3, column: 'date' }],
    ['neither yes nor no', 'charge,ref,ch,1,AED,0,2024-02-01,maybe', { line: 3, column: 'settled', reason: 'INVALID' }],
    ['the same movement again', GOOD, { line: 3, column: 'provider_id', reason: 'DUPLICATE' }],
    ['a column too few', 'charge,ref,ch,1,AED,0,2024-02-01', { line: 3 }],
    ['an open quote', 'charge,"ref,ch,1,AED,0,2024-02-01,yes', { line: 3 }],
  ])('is refused with its line named: %s', async (_what, line, details) => {
    expect(await refusal([HEADER, GOOD, line].join('\n'))).toMatchObject(details);
  });

  it.each([
    ['nothing at all', ''],
    ['a header alone', `${HEADER}\n`],
    ['other columns', 'a,b,c\n1,2,3\n'],
    ['a column twice', `${HEADER},type\n${GOOD},charge\n`],
    ['bytes that are not UTF-8', new Uint8Array([0x61, 0xff, 0x0a])],
  ])('is refused: %s', async (_what, text) => {
    expect(await refusal(text)).toHaveProperty('reason');
  });

  it('is refused when it holds the number of a card', async () => {
    const line = 'charge,4111111111111111,ch-2,1,AED,0,2024-02-01,no';
    expect(await refusal([HEADER, GOOD, line].join('\n'))).toBe('CARD_DATA_FORBIDDEN');
    expect(await refusal([HEADER, GOOD, 'charge,ref,4111-1111-1111-1111,1,AED,0,2024-02-01,no'].join('\n'))).toBe(
      'CARD_DATA_FORBIDDEN',
    );
  });

  // The size limit is tested where the body is read (test/http/body-bounds.test.ts).
  it('is refused when it has too many lines', async () => {
    const line = (n: number) => `charge,ref-${n},ch-${n},1,AED,0,2024-02-01,no\n`;
    const many = Array.from({ length: 50_001 }, (_, n) => line(n)).join('');
    expect(await refusal(`${HEADER}\n${many}`)).toEqual({ line: 50_002, reason: 'TOO_MANY_LINES' });
  });
});

describe('a line of an export', () => {
  it('X6: holds nothing that a spreadsheet would run', () => {
    expect(csvLine(['=HYPERLINK("x")', '+1', '-1', '@a', '\tx', 'a"b', 'a,b', 'plain', -5, null])).toBe(
      `"'=HYPERLINK(""x"")",'+1,'-1,'@a,'\tx,"a""b","a,b",plain,-5,\r\n`,
    );
  });
});
