import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Booking,
  firstFeasible,
  obstacleAt,
  type Person,
  scored,
  standingObstacle,
  type Wanted,
} from './candidates.ts';
import { compareScored, scoreOf } from './score.ts';
import { disjoint, mergedShifts } from './staffing.ts';
import { distanceKm, travelMinutes } from './travel.ts';
import { alternativeSlots, windowOf } from './window.ts';

const RULES = {
  workloadPercent: 45,
  proximityPercent: 35,
  primaryPercent: 15,
  fairnessPercent: 5,
  maxKm: 25,
  dayMinutes: 480,
  fairnessHours: 168,
  speedKmh: 30,
};
const DUBAI = 'Asia/Dubai';
const HERE = { lat: 25.08, lng: 55.14 };
/** About 10 km from `HERE`: twenty minutes at 30 km/h. */
const AWAY = { lat: 25.17, lng: 55.14 };
const at = (local: string): number => Date.parse(`2031-03-05T${local}:00+04:00`);
const MINUTE = 60_000;

const person = (values: Partial<Person> = {}): Person => ({
  id: 'a',
  role: 'CLEANER',
  skills: [],
  home: null,
  propertyIds: null,
  region: null,
  shifts: null,
  capMinutes: null,
  leave: [],
  bookings: [],
  lastJobMs: null,
  counted: 0,
  ...values,
});
const wanted = (values: Partial<Wanted> = {}, start = at('10:00'), minutes = 60): Wanted => ({
  taskId: 'task',
  type: 'CLEANING',
  skills: [],
  place: { propertyId: 'flat', region: 'marina', timeZone: DUBAI, location: HERE, primaryIds: [] },
  window: {
    firstMs: start,
    lastMs: start,
    durationMs: minutes * MINUTE,
    deadlineMs: null,
    isOverdue: false,
  },
  refusedBy: new Set(),
  ...values,
});
const booked = (from: string, to: string, location: Booking['location'] = HERE): Booking => ({
  startMs: at(from),
  endMs: at(to),
  location,
});

describe('what speaks against a person', () => {
  it('whatever the time: role, skills, place', () => {
    expect(standingObstacle(person({ role: 'AGENT' }), wanted())).toBe('ROLE');
    expect(standingObstacle(person({ role: 'AGENT' }), wanted({ type: 'INSPECTION' }))).toBeNull();
    expect(standingObstacle(person({ skills: ['windows'] }), wanted({ skills: ['windows', 'pool'] }))).toBe('SKILLS');
    expect(standingObstacle(person({ propertyIds: ['other'] }), wanted())).toBe('PLACE');
    expect(standingObstacle(person({ region: 'downtown' }), wanted())).toBe('PLACE');
    expect(standingObstacle(person({ propertyIds: ['flat'], region: 'marina' }), wanted())).toBeNull();
  });

  it('at a time: shift, leave, other work, the day’s cap, a refusal', () => {
    const shifts = mergedShifts([
      { weekday: 3, from: '08:00', to: '10:30', zone: DUBAI },
      { weekday: 3, from: '10:30', to: '12:00', zone: DUBAI },
    ]);
    expect(obstacleAt(person({ shifts }), wanted(), at('10:00'), RULES)).toBeNull();
    expect(obstacleAt(person({ shifts }), wanted(), at('11:30'), RULES)).toBe('OFF_SHIFT');
    expect(obstacleAt(person({ shifts }), wanted(), at('07:30'), RULES)).toBe('OFF_SHIFT');
    expect(obstacleAt(person({ shifts: [] }), wanted(), at('10:00'), RULES)).toBe('OFF_SHIFT');
    const leave = [{ startMs: at('10:30'), endMs: at('20:00') }];
    expect(obstacleAt(person({ leave }), wanted(), at('10:00'), RULES)).toBe('ON_LEAVE');
    expect(obstacleAt(person({ leave }), wanted(), at('09:30'), RULES)).toBeNull();
    const bookings = [booked('08:00', '10:00')];
    expect(obstacleAt(person({ bookings }), wanted(), at('09:30'), RULES)).toBe('BUSY');
    expect(obstacleAt(person({ bookings }), wanted(), at('10:00'), RULES)).toBeNull();
    expect(obstacleAt(person({ bookings, capMinutes: 180 }), wanted(), at('10:00'), RULES)).toBeNull();
    expect(obstacleAt(person({ bookings, capMinutes: 179 }), wanted(), at('10:00'), RULES)).toBe('DAY_FULL');
    expect(obstacleAt(person(), wanted({ refusedBy: new Set(['a']) }), at('10:00'), RULES)).toBe('REFUSED');
  });

  it('too little time for the way, before and after', () => {
    const bookings = [booked('08:00', '09:50', AWAY), booked('12:00', '13:00', AWAY)];
    expect(travelMinutes(AWAY, HERE, 30)).toBe(21);
    expect(obstacleAt(person({ bookings }), wanted(), at('10:00'), RULES)).toBe('BUSY');
    expect(obstacleAt(person({ bookings }), wanted(), at('10:11'), RULES)).toBeNull();
    expect(obstacleAt(person({ bookings }), wanted(), at('10:45'), RULES)).toBe('BUSY');
    const unknown = [booked('08:00', '10:00', null)];
    expect(obstacleAt(person({ bookings: unknown }), wanted(), at('10:00'), RULES)).toBeNull();
  });

  it('a cap counts each local day by itself', () => {
    const night = wanted({}, at('23:00'), 120);
    expect(obstacleAt(person({ capMinutes: 60 }), night, at('23:00'), RULES)).toBeNull();
    expect(obstacleAt(person({ capMinutes: 59 }), night, at('23:00'), RULES)).toBe('DAY_FULL');
    const early = [{ startMs: at('23:30') + 60 * MINUTE, endMs: at('23:30') + 61 * MINUTE, location: null }];
    expect(obstacleAt(person({ capMinutes: 60, bookings: early }), wanted({}, at('20:00')), at('20:00'), RULES)).toBe(
      null,
    );
  });
});

describe('the score', () => {
  const standing = {
    bookedMinutes: 240,
    tasksThatDay: 2,
    capMinutes: 480,
    travelKm: 5,
    isPrimary: true,
    hoursSinceLastJob: 84,
  };
  it('weighs the four parts', () => {
    expect(scoreOf(standing, RULES)).toEqual({
      workload: 0.5,
      proximity: 0.8,
      primary: 1,
      fairness: 0.5,
      total: 0.68,
    });
    expect(scoreOf({ ...standing, travelKm: null, capMinutes: null, hoursSinceLastJob: null }, RULES)).toMatchObject({
      proximity: 0.5,
      workload: 0.5,
      fairness: 1,
    });
  });

  it('is from 0 to 1 whatever goes in', () => {
    const figures = fc.record({
      bookedMinutes: fc.nat(3_000),
      tasksThatDay: fc.nat(20),
      capMinutes: fc.option(fc.integer({ min: 1, max: 1_440 })),
      travelKm: fc.option(fc.double({ min: 0, max: 20_000, noNaN: true })),
      isPrimary: fc.boolean(),
      hoursSinceLastJob: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
    });
    fc.assert(
      fc.property(figures, (one) => {
        const { workload, proximity, primary, fairness, total } = scoreOf(one, RULES);
        for (const part of [workload, proximity, primary, fairness, total]) {
          expect(part).toBeGreaterThanOrEqual(0);
          expect(part).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('breaks ties by fewer tasks that day, then by id', () => {
    const one = (staffId: string, tasksThatDay: number) => ({
      staffId,
      ...standing,
      tasksThatDay,
      score: scoreOf(standing, RULES),
    });
    expect([one('b', 2), one('c', 1), one('a', 2)].sort(compareScored).map(({ staffId }) => staffId)).toEqual([
      'c',
      'a',
      'b',
    ]);
  });

  it('measures the way from the task before on that day, else from home', () => {
    const home = person({ home: AWAY });
    expect(scored(home, wanted(), at('10:00'), RULES, at('00:00')).travelKm).toBeCloseTo(10, 0);
    const after = person({ home: AWAY, bookings: [booked('07:00', '08:00', AWAY), booked('08:30', '09:30', HERE)] });
    expect(scored(after, wanted(), at('10:00'), RULES, at('00:00'))).toMatchObject({
      travelKm: 0,
      tasksThatDay: 2,
      bookedMinutes: 120,
    });
    expect(distanceKm(HERE, null)).toBeNull();
  });

  it('is symmetrical in the way', () => {
    const place = fc.record({
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
      lng: fc.double({ min: -180, max: 180, noNaN: true }),
    });
    fc.assert(
      fc.property(place, place, (a, b) => {
        expect(distanceKm(a, b)).toBeCloseTo(distanceKm(b, a) ?? -1, 6);
        expect(distanceKm(a, b)).toBeLessThan(20_100);
      }),
    );
  });
});

describe('when a task may start', () => {
  const times = { startMs: at('10:00'), durationMs: 60 * MINUTE, mustFinishByMs: at('13:00'), isManual: false };
  it('within its window, unless its own time is insisted on or was set by a person', () => {
    expect(windowOf(times, at('00:00'), false)).toMatchObject({ firstMs: at('10:00'), lastMs: at('12:00') });
    expect(windowOf(times, at('00:00'), true).lastMs).toBe(at('10:00'));
    expect(windowOf({ ...times, isManual: true }, at('00:00'), false).lastMs).toBe(at('10:00'));
    expect(windowOf({ ...times, mustFinishByMs: null }, at('00:00'), false).lastMs).toBe(at('10:00'));
    expect(windowOf({ ...times, mustFinishByMs: at('10:30') }, at('00:00'), false).lastMs).toBe(at('10:00'));
  });

  it('from now on when that has passed, for a day or until its deadline', () => {
    const late = windowOf(times, at('10:40'), true);
    expect(late).toMatchObject({ firstMs: at('11:00'), isOverdue: true });
    expect(late.lastMs).toBeLessThanOrEqual(at('10:40') + 23 * 60 * MINUTE);
    const far = windowOf({ ...times, mustFinishByMs: at('10:40') + 3 * 1_440 * MINUTE }, at('10:40'), false);
    expect(far.deadlineMs).toBe(at('10:40') + 3 * 1_440 * MINUTE);
    expect([...alternativeSlots(late, Number.POSITIVE_INFINITY)]).toHaveLength(336);
    expect([...alternativeSlots(late, late.firstMs + 60 * MINUTE)]).toHaveLength(2);
  });

  it('at the earliest slot at which anybody can', () => {
    const flexible = { ...wanted(), window: windowOf(times, at('00:00'), false) };
    const busy = [
      person({ bookings: [booked('09:00', '10:30')] }),
      person({ id: 'b', bookings: [booked('09:00', '12:00')] }),
    ];
    const found = firstFeasible(busy, flexible, { fromMs: at('10:00'), toMs: at('12:00') }, { rules: RULES, nowMs: 0 });
    expect([found.startMs, found.ranked.map(({ staffId }) => staffId)]).toEqual([at('10:30'), ['a']]);
    expect([...found.obstacles]).toEqual([['b', 'BUSY']]);
    const none = firstFeasible(
      busy.slice(1),
      wanted(),
      { fromMs: at('10:00'), toMs: at('10:00') },
      { rules: RULES, nowMs: 0 },
    );
    expect([none.ranked, [...none.obstacles]]).toEqual([[], [['b', 'BUSY']]]);
    const nobody = firstFeasible(
      [person({ role: 'AGENT' })],
      wanted(),
      { fromMs: 0, toMs: 1e15 },
      { rules: RULES, nowMs: 0 },
    );
    expect([...nobody.obstacles]).toEqual([['a', 'ROLE']]);
  });

  it('and moments are read once', () => {
    expect(
      disjoint([
        { startMs: 5, endMs: 9 },
        { startMs: 1, endMs: 3 },
        { startMs: 2, endMs: 4 },
      ]),
    ).toEqual([
      { startMs: 1, endMs: 4 },
      { startMs: 5, endMs: 9 },
    ]);
  });
});
