import { AsyncLocalStorage } from 'node:async_hooks';
import { isErrorCode } from '../errors.ts';
import type { LabelsOf, NameOf } from './catalogue.ts';

/**
 * Where the code counts and times. Until somebody asks for metrics nothing is kept: the sink is null, and each call is one
 * comparison. It is of the process, as a process has one set of metrics, whatever engines run in it.
 */
export interface MetricSink {
  add(name: NameOf<'counter'>, times: number, labels: Readonly<Record<string, string>>): void;
  observe(name: NameOf<'histogram'>, seconds: number, labels: Readonly<Record<string, string>>): void;
}

let sink: MetricSink | null = null;

/** Null: nothing is measured any more. */
export function measureInto(target: MetricSink | null): void {
  sink = target;
}

export const isMeasuring = (): boolean => sink !== null;

const asides = new AsyncLocalStorage<true>();
/** Runs work of which nothing is counted or timed: it only looks as if something happened. */
export const unmeasured = <T>(work: () => Promise<T>): Promise<T> => asides.run(true, work);
const open = (): MetricSink | null => (sink !== null && asides.getStore() === undefined ? sink : null);

/** Counts something that has happened, once or more often. */
export function count<Name extends NameOf<'counter'>>(name: Name, labels: LabelsOf<Name>, times = 1): void {
  open()?.add(name, times, labels);
}

/** Notes how long something took, in seconds. */
export function observe<Name extends NameOf<'histogram'>>(name: Name, seconds: number, labels: LabelsOf<Name>): void {
  open()?.observe(name, seconds, labels);
}

/** Of `performance.now()` before. */
export const secondsSince = (beganMs: number): number => (performance.now() - beganMs) / 1_000;

/** A code as a label: what is not of our catalogue is another system's own, of which there is no end. */
export const codeLabel = (code: string | null | undefined): string =>
  typeof code === 'string' && isErrorCode(code) ? code : 'OTHER';

/** A value of a gauge, read when it is asked for. */
export interface Sample {
  readonly name: NameOf<'gauge'>;
  readonly value: number;
  readonly labels: Readonly<Record<string, string>>;
}
/** Makes a sample. */
export const sample = <Name extends NameOf<'gauge'>>(name: Name, value: number, labels: LabelsOf<Name>): Sample => ({
  name,
  value,
  labels,
});
