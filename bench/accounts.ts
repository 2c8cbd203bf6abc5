import pg from 'pg';
import type { Role } from '../src/http/auth.ts';

/** The table of the record that an account of a role belongs to; those of the office belong to none. */
const TABLES: Readonly<Partial<Record<Role, 'owner' | 'guest' | 'staff'>>> = {
  OWNER: 'owner',
  GUEST: 'guest',
  AGENT: 'staff',
  CLEANER: 'staff',
  MAINTENANCE_STAFF: 'staff',
};

/** In production a token of somebody without an account is refused. A tree from before there were accounts needs none. */
export async function letIn(databaseUrl: string, role: Role, subject: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ exists: boolean }>(`SELECT to_regclass('account') IS NOT NULL AS exists`);
    if (rows[0]?.exists !== true) return;
    const email = `${subject}@bench.example`;
    const table = TABLES[role];
    const insert = async (into: string, row: Readonly<Record<string, string>>): Promise<void> => {
      const places = Object.keys(row).map((_, index) => `$${index + 1}`);
      const text = `INSERT INTO ${into} (${Object.keys(row).join()}) VALUES (${places.join()}) ON CONFLICT DO NOTHING`;
      await client.query(text, Object.values(row));
    };
    if (table) await insert(table, { id: subject, name: subject, email, ...(table === 'staff' ? { role } : {}) });
    const record = table ? { [`${table}_id`]: subject } : {};
    await insert('account', { id: subject, email, name: subject, role, status: 'ACTIVE', ...record });
  } finally {
    await client.end();
  }
}
