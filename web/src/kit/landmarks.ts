/** Places everybody knows: stations, hospitals, fire stations. For saying where something is. */
import { api } from './api'
import type { Words } from './i18n.svelte'

export interface Landmark {
  id: string
  name: Words
  kind: 'station' | 'place'
  lon: number
  lat: number
}

interface Simplified {
  id: string
  type: string
  name?: { languageMap?: Record<string, string> } | string
  location?: { type: string; coordinates: number[] }
}

const SAME_PLACE_DEGREES = 0.005 // about 500 m
const LIMIT = 1000 // a few hundred a city; the list is searched on the phone

/** A landmark of an NGSI-LD entity in its simplified form; null where it has no point or name. */
export function landmarkOf(entity: Simplified): Landmark | null {
  const name = typeof entity.name === 'object' ? entity.name.languageMap : entity.name
  const [lon, lat] = entity.location?.type === 'Point' ? entity.location.coordinates : []
  if (!name || lon === undefined || lat === undefined) return null
  return { id: entity.id, name, kind: entity.type === 'TransitStation' ? 'station' : 'place', lon, lat }
}

/** A station of two lines is two entities and one place: those of one name close by are one. */
export function once(all: readonly Landmark[]): Landmark[] {
  const near = (one: Landmark, other: Landmark) =>
    Math.hypot(one.lon - other.lon, one.lat - other.lat) < SAME_PLACE_DEGREES
  const kept: Landmark[] = []
  for (const each of all) {
    const name = JSON.stringify(each.name)
    if (!kept.some((known) => JSON.stringify(known.name) === name && near(known, each))) kept.push(each)
  }
  return kept
}

let landmarks: Promise<Landmark[]> | null = null

/** The city's landmarks, read once; a failure is tried again at the next call. */
export function loadLandmarks(): Promise<Landmark[]> {
  landmarks ??= Promise.all(
    ['TransitStation', 'PointOfInterest'].map((type) =>
      api.get<Simplified[]>('/ngsi-ld/v1/entities', {
        type,
        attrs: 'name,location',
        options: 'keyValues',
        limit: LIMIT,
      }),
    ),
  )
    .then((lists) => once(lists.flat().map(landmarkOf).filter((each) => each !== null)))
    .catch((problem: unknown) => {
      landmarks = null
      throw problem
    })
  return landmarks
}

function plain(text: string): string {
  return text.toLocaleLowerCase().normalize('NFC').replace(/\s+/g, '')
}

/** Landmarks whose name in any language holds what was typed; those that begin with it first. */
export function searchLandmarks(all: readonly Landmark[], typed: string, most = 6): Landmark[] {
  const wanted = plain(typed)
  if (!wanted) return []
  const names = (each: Landmark) =>
    (typeof each.name === 'string' ? [each.name] : Object.values(each.name ?? {})).map(plain)
  const begins = all.filter((each) => names(each).some((name) => name.startsWith(wanted)))
  const holds = all.filter((each) => names(each).some((name) => name.includes(wanted)))
  return [...new Set([...begins, ...holds])].slice(0, most)
}
