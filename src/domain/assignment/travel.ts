import type { GeoPoint } from '../../db/schema.ts';

/** Ways between places, as the crow flies: good enough to compare people, and nobody else has to be asked. */

const EARTH_KM = 6_371.0088;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Kilometres on the great circle (haversine); null when a place is not known. */
export function distanceKm(from: GeoPoint | null, to: GeoPoint | null): number | null {
  if (from === null || to === null) return null;
  const lat = radians(to.lat - from.lat);
  const lng = radians(to.lng - from.lng);
  const h = Math.sin(lat / 2) ** 2 + Math.cos(radians(from.lat)) * Math.cos(radians(to.lat)) * Math.sin(lng / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Whole minutes that a way takes at the least; none where a place is not known, or both are the same. */
export const travelMinutes = (from: GeoPoint | null, to: GeoPoint | null, speedKmh: number): number =>
  Math.ceil(((distanceKm(from, to) ?? 0) / speedKmh) * 60);
