import pg from 'pg';

/**
 * The reads of each statement, as it was sent: Postgres's own `auto_explain`, which comes with the server as `btree_gist`
 * does, explains every statement that it runs, with the plan and the parameters that it really used, and those of
 * triggers and foreign keys too. It says so in notices to the connection that sent the statement.
 */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Alias?: string;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
  readonly [property: string]: unknown;
}
export interface Explained {
  readonly text: string;
  readonly plan: PlanNode;
  /** Of 8 KB each, from the cache or not. */
  readonly blocks: number;
}

const SETTINGS = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_verbose': 'on',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_parameter_max_length': '0',
  'auto_explain.log_format': 'json',
  'auto_explain.log_level': 'notice',
};

/** For connections that are opened from now on. */
export async function explainAll(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
    for (const [name, value] of Object.entries(SETTINGS))
      await client.query(`ALTER DATABASE ${rows[0]?.name} SET ${name} = '${value}'`);
  } finally {
    await client.end();
  }
}

export interface Recorder {
  /** Listens to every connection of the pool. */
  attach(pool: pg.Pool): void;
  /** The statements that were sent while `work` ran; nothing else may run meanwhile. */
  during(work: () => Promise<unknown>): Promise<readonly Explained[]>;
}

export function createRecorder(): Recorder {
  let heard: Explained[] = [];
  return {
    attach(pool) {
      pool.on('connect', (client) => {
        client.on('notice', ({ message }) => {
          const explained = parse(message ?? '');
          if (explained) heard.push(explained);
        });
      });
    },
    async during(work) {
      heard = [];
      await work();
      return heard;
    },
  };
}

function parse(message: string): Explained | undefined {
  const [, json] = /^duration: \S+ ms {2}plan:\n([\s\S]+)$/.exec(message) ?? [];
  if (json === undefined) return undefined;
  const { 'Query Text': text, Plan: plan }: { 'Query Text': string; Plan: PlanNode } = JSON.parse(json);
  const findingRoom = nodesOf(plan)
    .filter(isInsert)
    .reduce((sum, node) => sum + ownBlocksOf(node), 0);
  return { text, plan, blocks: blocksOf(plan) - findingRoom };
}

const blocksOf = (node: PlanNode): number => (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0);
/** The reads of a node itself, without those of the nodes below it. */
export const ownBlocksOf = (node: PlanNode): number =>
  blocksOf(node) - (node.Plans ?? []).reduce((sum, child) => sum + blocksOf(child), 0);
/** Where a row goes is asked of the map of free space, which after a vacuum sends it to hundreds of pages, once. */
const isInsert = (node: PlanNode): boolean => node['Node Type'] === 'ModifyTable' && node['Operation'] === 'Insert';

export const nodesOf = (plan: PlanNode): readonly PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
