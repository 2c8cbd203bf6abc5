import ical, { ICalCalendarMethod, ICalEventStatus } from 'ical-generator';
import type { MyTask } from '../domain/tasks/my-tasks.ts';

/** Somebody's tasks as a calendar (RFC 5545). It is read by anybody who has its address: no guest is in it. */
/** `madeAt`: of this very text, for DTSTAMP (RFC 5545, 3.8.7.2). */
export function calendarOf(tasks: readonly MyTask[], madeAt: Date): string {
  const calendar = ical({
    name: 'Roomy tasks',
    prodId: { company: 'Roomy', product: 'Orchestrator', language: 'EN' },
    method: ICalCalendarMethod.PUBLISH,
    ttl: REFRESH_SECONDS,
  });
  for (const task of tasks) {
    const { name, region } = task.property;
    calendar.createEvent({
      id: `${task.id}@roomy`,
      sequence: task.version,
      start: new Date(task.startsAt),
      end: new Date(task.endsAt),
      stamp: madeAt,
      summary: `${task.title} - ${name}`,
      location: region === null ? name : `${name}, ${region}`,
      status: task.status === 'CANCELLED' ? ICalEventStatus.CANCELLED : ICalEventStatus.CONFIRMED,
      ...(task.description === null ? {} : { description: task.description }),
    });
  }
  // Each line ends so, the last one too (RFC 5545, 3.1).
  return `${calendar.toString().trimEnd()}\r\n`;
}
const REFRESH_SECONDS = 900;
