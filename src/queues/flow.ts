import type { FlowJob } from 'bullmq';
import type { SagaDefinition } from '../engine/definition.ts';
import type { FlowOrder } from '../engine/flow-order.ts';
import { COMPENSATION_JOB, FORWARD_JOB, SETTLE_JOB, type StepJob, settleJobId, stepJobId } from './jobs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from './names.ts';

/**
 * A saga's remaining steps as one BullMQ flow: each job is the parent of the one that runs before it, so that they run
 * strictly one after the other. Forward flows have a root that always runs and settles; compensation flows are a plain
 * chain that stops where it fails (queue.md 2).
 */
export function flowOf(order: FlowOrder, definition: SagaDefinition): FlowJob {
  const forward = order.direction === 'F';
  const { sagaId, generation, direction } = order;
  let chain: FlowJob | undefined;
  for (const no of order.steps) {
    chain = {
      name: `${order.name}.${definition.steps[no - 1]?.name ?? no}`,
      queueName: forward ? FORWARD_QUEUE : COMPENSATION_QUEUE,
      data: { sagaId, step: no, direction, generation } satisfies StepJob,
      opts: { ...(forward ? FORWARD_JOB : COMPENSATION_JOB), jobId: stepJobId(sagaId, generation, direction, no) },
      ...(chain ? { children: [chain] } : {}),
    };
  }
  if (!chain) throw new RangeError(`an order without steps for saga ${sagaId}`);
  if (!forward) return chain;
  return {
    name: `${order.name}.settle`,
    queueName: FORWARD_QUEUE,
    data: { sagaId, step: 0, direction, generation } satisfies StepJob,
    opts: { ...SETTLE_JOB, jobId: settleJobId(sagaId, generation) },
    children: [chain],
  };
}
