import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mayMoveFrom, PAYMENT_MOVES, resultOf, TRANSACTION_MOVES, type TransactionMove } from './transitions.ts';

const moves = Object.entries(TRANSACTION_MOVES);
const from = (status: string): string[] =>
  moves.filter(([, move]) => move.from.some((one) => one === status)).map(([name]) => name);

describe('the changes of a transaction', () => {
  it('lead out of a final status only where money comes back or a booking is undone', () => {
    expect(from('COMPLETED')).toEqual([
      'changeOutstanding',
      'returnPayout',
      'returnRefund',
      'reduceLostDispute',
      'reverse',
    ]);
    expect(from('REVERSED')).toEqual(['reopenDue']);
    // Late money is booked under it, and it stays CANCELLED.
    expect(from('CANCELLED')).toEqual(['changeOutstanding']);
  });

  it('pay nothing twice: no payout and no refund is sent that is completed, cancelled or reversed', () => {
    const over = ['COMPLETED', 'CANCELLED', 'REVERSED'] as const;
    for (const move of ['claimPayout', 'completePayout', 'sendRefund', 'completeRefund'] as const) {
      expect(
        over.filter((status) => mayMoveFrom(status, move)),
        move,
      ).toEqual([]);
    }
    expect(mayMoveFrom('PROCESSING', 'claimPayout')).toBe(false);
  });

  it('leave a dispute that has ended as it is, but for the amount that is lost', () => {
    const disputes = ['changeDispute', 'withdrawDispute', 'closeDispute', 'loseDispute', 'winDispute'] as const;
    const starts = disputes.flatMap((move: TransactionMove) => TRANSACTION_MOVES[move].from);
    expect([...new Set<string>(starts)].toSorted()).toEqual(['PENDING', 'PROCESSING']);
    expect(resultOf('winDispute')).toBe('REVERSED');
  });

  const folder = path.join(import.meta.dirname, 'store');
  const text = readdirSync(folder)
    .map((file) => readFileSync(path.join(folder, file), 'utf8'))
    .join('\n');

  it('are each made by a statement of the store', () => {
    const unused = [...Object.keys(TRANSACTION_MOVES), ...Object.keys(PAYMENT_MOVES)].filter(
      (move) => !text.includes(`'${move}'`),
    );
    expect(unused).toEqual([]);
  });

  it('are the condition of every statement that changes a row', () => {
    const built = text.match(/updateTable\('(?:transaction|payment)'\)[\s\S]*?\.(?:execute\w*|returning\w*)\(/g) ?? [];
    const written = text.match(/UPDATE (?:transaction|payment) SET status[\s\S]*?\.execute\(/g) ?? [];
    expect(built.length).toBeGreaterThan(20);
    expect(written).toHaveLength(1);
    expect([...built, ...written].filter((statement) => !/mayMove(?:Payment)?\(/.test(statement))).toEqual([]);
  });
});
