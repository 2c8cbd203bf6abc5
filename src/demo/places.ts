/** Properties and people of the demo's day, beside those of the brief's examples (`fixed.ts`). */

export const DEMO_AUTHOR = 'demo';

const CLEANING_CHECKLIST = [
  { id: 'beds', label: 'Beds made', required: true },
  { id: 'bathroom', label: 'Bathroom cleaned', required: true },
  { id: 'fridge', label: 'Fridge emptied', required: false },
];

export const DAY_OWNERS = [
  {
    id: 'owner-3',
    name: 'ليلى حداد',
    email: 'layla@owners.example',
    phone: '+971500000013',
    locale: 'ar-AE',
    payout_account: 'acct-owner-3',
  },
];

const DUBAI = { time_zone: 'Asia/Dubai', agent_ids: ['agent-1'], primary_staff_ids: ['agent-1', 'cleaner-1'] };
const PARIS = { time_zone: 'Europe/Paris', agent_ids: ['agent-2'], primary_staff_ids: ['agent-2', 'cleaner-2'] };
export const DAY_PROPERTIES = [
  {
    ...DUBAI,
    id: 'property-3',
    name: 'Palm Garden Villa',
    address: 'Frond K 27, Palm Jumeirah, Dubai',
    owner_id: 'owner-1',
    region: 'Palm Jumeirah',
    location: JSON.stringify({ lat: 25.1124, lng: 55.139 }),
    amenity_device: 'lock-3',
    checklists: JSON.stringify({ CLEANING: CLEANING_CHECKLIST }),
    // A repair that is estimated at more waits for the owner.
    repair_limit_minor: 50_000,
    repair_limit_currency: 'AED',
  },
  {
    ...DUBAI,
    id: 'property-4',
    name: 'Sea View Tower 1807',
    address: 'Al Marsa Street 14, Dubai Marina, Dubai',
    owner_id: 'owner-3',
    region: 'Dubai Marina',
    location: JSON.stringify({ lat: 25.0772, lng: 55.1334 }),
    amenity_device: 'lock-4',
    checklists: JSON.stringify({ CLEANING: CLEANING_CHECKLIST }),
    // Who is to work here is asked whether they can.
    accept_minutes: 240,
  },
  {
    ...DUBAI,
    id: 'property-5',
    name: 'Downtown Loft 2310',
    address: 'Mohammed Bin Rashid Boulevard 9, Dubai',
    owner_id: 'owner-1',
    region: 'Downtown Dubai',
    location: JSON.stringify({ lat: 25.1942, lng: 55.2744 }),
    amenity_device: 'lock-5',
  },
  {
    ...PARIS,
    id: 'property-6',
    name: 'Marais Apartment, 2nd Floor',
    address: '12 Rue de Turenne, 75004 Paris',
    owner_id: 'owner-2',
    region: 'Paris',
    location: JSON.stringify({ lat: 48.8575, lng: 2.3622 }),
  },
] as const;
export type DayPropertyId = (typeof DAY_PROPERTIES)[number]['id'];

/** IANA zones by property. */
export type DayZones = Readonly<Record<DayPropertyId, string>>;
export const DAY_ZONES: DayZones = {
  'property-3': DUBAI.time_zone,
  'property-4': DUBAI.time_zone,
  'property-5': DUBAI.time_zone,
  'property-6': PARIS.time_zone,
};

export const DAY_GUESTS = [
  { id: 'guest-4', name: 'Emma Fischer', email: 'emma@guests.example', phone: '+971500000004', locale: 'de-DE' },
  { id: 'guest-5', name: 'Priya Nair', email: 'priya@guests.example', phone: '+971500000005', locale: 'en-IN' },
  { id: 'guest-6', name: 'يوسف المنصوري', email: 'yusuf@guests.example', phone: '+971500000006', locale: 'ar-AE' },
  { id: 'guest-7', name: 'Tom Baker', email: 'tom@guests.example', phone: '+971500000007', locale: 'en-GB' },
  { id: 'guest-8', name: 'Sofia Lindqvist', email: 'sofia@guests.example', locale: 'sv-SE' },
  { id: 'guest-9', name: 'Daniel Okafor', email: 'daniel@guests.example', locale: 'en-NG' },
  { id: 'guest-10', name: 'Chloé Martin', email: 'chloe@guests.example', phone: '+33600000010', locale: 'fr-FR' },
];
