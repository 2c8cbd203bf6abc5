import type { DBSchema } from './idb.js';

/** What the page knows, as types for its scripts. Nothing of this file reaches a browser. */

/** A task as `GET /me/tasks` answers it. */
export interface Task {
  readonly id: string;
  readonly title: string;
  readonly description: string | null;
  readonly type: string;
  status: string;
  readonly priority: string;
  /** Instants, by ISO 8601. */
  readonly acceptBy: string | null;
  readonly acceptedAt: string | null;
  /** By the clock at the place of the task: `2027-05-01`, `08:30`. */
  readonly local: { readonly date: string; readonly from: string; readonly to: string; readonly timeZone: string };
  readonly property: {
    readonly name: string;
    readonly region: string | null;
    readonly location: { readonly lat: number; readonly lng: number } | null;
  };
  readonly checklist: readonly Item[];
}
export interface Item {
  readonly id: string;
  readonly label: string;
  readonly required: boolean;
}

/** The last list that was seen. */
export interface TaskList {
  readonly id: 'mine';
  readonly tasks: readonly Task[];
  /** When it was loaded, in milliseconds since 1970. */
  readonly at: number;
  readonly offline: boolean;
}

/** The form of one task as far as it is filled in, kept until it is sent. */
export interface Draft {
  /** Of the task. */
  readonly id: string;
  /** Ids of the items that are ticked. */
  done: readonly string[];
  /** By the id of the item. */
  readonly photos: Record<string, Photo>;
  notes: string;
  outcome: '' | 'PASSED' | 'FAILED';
}
export interface Photo {
  readonly id: string;
  readonly blob: Blob;
}

export type Act = 'accept' | 'decline' | 'start' | 'complete';
/** Something that was done, and is to be sent or was refused. */
export interface Entry {
  /** Begins with the time, so that ids are in the order in which things were done. */
  readonly id: string;
  /** The idempotency key. */
  readonly key: string;
  /** The subject of the token of the person who did it. */
  readonly who: string;
  readonly kind: Act;
  readonly taskId: string;
  readonly title: string;
  readonly body: object | undefined;
  readonly photos: readonly Photo[];
  readonly state: 'waiting' | 'refused';
  /** Why it was refused. */
  readonly reason?: string;
}

/** The phone's database. Phones hold work that is not sent yet: a change of a store needs a new version and a way over. */
export interface Kept extends DBSchema {
  lists: { key: string; value: TaskList };
  drafts: { key: string; value: Draft };
  outbox: { key: string; value: Entry };
}

/** An answer of the API. `offline` means that no answer came, whatever the reason. */
export interface Result {
  readonly status: number;
  readonly ok: boolean;
  readonly offline: boolean;
  readonly answer: Answer;
}
/** The parts of an answer that the page reads. */
export interface Answer {
  readonly data?: readonly Task[];
  readonly error?: string;
  readonly details?: { readonly open?: readonly { readonly label: string }[] };
}

/** The things that a view asks of the page. */
export interface Page {
  /** Shows again what the phone knows. */
  show(): Promise<void>;
  /** Sends what waits, then asks what is to be done. */
  exchange(): Promise<void>;
  /** Keeps the list as it is now. */
  saveList(): Promise<unknown>;
}
