/** Shapes the operations centre works with, parsed once at the door from the city's API. */

export type Words = Readonly<Record<string, string>>

/** Longitude and latitude in degrees, WGS 84. */
export type LonLat = readonly [number, number]

export type Provenance = 'measured' | 'replayed' | 'simulated'

export interface Reading {
  /** The value in `unit`, or null when the station has none. */
  readonly value: number | null
  readonly unit: string
  /** City time, milliseconds since 1970 UTC; null when the city did not say. */
  readonly observedAt_ms: number | null
  readonly originalObservedAt_ms: number | null
  readonly provenance: Provenance
  /** Flags of the quality checks: range, stuck, jump, gap, clock. */
  readonly quality: readonly string[]
  readonly stale: boolean
  readonly period_s: number | null
}

export interface Station {
  readonly id: string
  readonly type: string
  readonly code: string
  readonly name: Words
  readonly district: string | null
  readonly location: LonLat | null
  readonly measures: Readonly<Record<string, Reading>>
}

export type AlertState = 'open' | 'acknowledged' | 'resolved'

export interface Alert {
  readonly id: string
  readonly ruleId: string
  readonly category: string
  readonly severity: string
  readonly state: AlertState
  readonly entity: string | null
  readonly entityName: Words
  readonly measure: string | null
  readonly observedValue: number | null
  readonly threshold: number | null
  readonly unit: string
  readonly issuedAt_ms: number | null
  readonly escalatedAt_ms: number | null
  readonly acknowledgedAt_ms: number | null
  readonly acknowledgedBy: string | null
  readonly resolvedAt_ms: number | null
  readonly resolvedBy: string | null
  /** When the last value was measured, where none comes any more. */
  readonly silentSince_ms: number | null
  readonly note: string | null
  readonly location: LonLat | null
  readonly district: string | null
  readonly provenance: Provenance
  /** What is the matter: the rule's name. */
  readonly name: Words
  /** What to do: the rule's advice. */
  readonly description: Words
  readonly caseId: string | null
}

export interface CaseItem {
  readonly id: string
  readonly caseNumber: string
  readonly category: string
  readonly state: string
  readonly department: string | null
  readonly district: string | null
  readonly location: LonLat | null
  readonly source: string
  readonly alertId: string | null
  readonly createdAt_ms: number | null
  readonly dueAt_ms: number | null
  readonly resolvedAt_ms: number | null
  readonly rating: number | null
  readonly provenance: Provenance | null
}

export interface District {
  readonly code: string
  readonly name: Words
  readonly population: number | null
  readonly approximate: boolean
}

type Json = Readonly<Record<string, unknown>>

const record = (x: unknown): Json =>
  typeof x === 'object' && x !== null && !Array.isArray(x) ? (x as Json) : {}
const text = (x: unknown): string | null => (typeof x === 'string' && x !== '' ? x : null)
/** A number bare, or as the value of an attribute that came with its story. */
function number(x: unknown): number | null {
  const value = typeof x === 'object' ? record(x)['value'] : x
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/** Milliseconds since 1970 of an ISO 8601 instant (bare or as a JSON-LD DateTime), or null. */
export function instant(x: unknown): number | null {
  const written = typeof x === 'object' ? record(x)['@value'] : x
  if (typeof written !== 'string') return null
  const ms = Date.parse(written)
  return Number.isNaN(ms) ? null : ms
}

/** A name in several languages; a bare string is the name in every one of them. */
export function words(x: unknown): Words {
  if (typeof x === 'string') return { th: x, en: x }
  const found: Record<string, string> = {}
  // NGSI-LD sends a language map; the rooms send {th, en}.
  const source = record(x)['languageMap'] ?? x
  for (const [language, value] of Object.entries(record(source))) {
    if (typeof value === 'string' && value !== '') found[language] = value
  }
  return found
}

/** The first of `[lon, lat]`, GeoJSON Point or GeoJSON's representative point that fits. */
export function lonLat(x: unknown): LonLat | null {
  const pair = Array.isArray(x) ? x : record(x)['coordinates']
  if (!Array.isArray(pair)) return null
  const lon = number(pair[0])
  const lat = number(pair[1])
  return lon === null || lat === null ? null : [lon, lat]
}

function provenance(x: unknown): Provenance {
  return x === 'replayed' || x === 'simulated' ? x : 'measured'
}

/** A reading as the stations list sends it. */
export function readingFrom(x: unknown): Reading {
  const o = record(x)
  const flags = Array.isArray(o['quality']) ? o['quality'] : []
  return {
    value: number(o['value']),
    // A share or an index has an empty sign: its code (C62) is nothing to be shown.
    unit: typeof o['unit'] === 'string' ? o['unit'] : (text(o['unitCode']) ?? ''),
    observedAt_ms: instant(o['observedAt']),
    originalObservedAt_ms: instant(o['originalObservedAt']),
    provenance: provenance(o['provenance']),
    quality: flags.filter((f): f is string => typeof f === 'string'),
    stale: o['stale'] === true,
    period_s: number(o['period_s']) ?? number(o['periodS']),
  }
}

/** A station as `GET /stations` sends it; null when it has no id. */
export function stationFrom(x: unknown): Station | null {
  const o = record(x)
  const id = text(o['id'])
  if (id === null) return null
  const measures: Record<string, Reading> = {}
  for (const [code, reading] of Object.entries(record(o['measures']))) {
    measures[code] = readingFrom(reading)
  }
  return {
    id,
    type: text(o['type']) ?? '',
    code: text(o['code']) ?? id.slice(id.lastIndexOf(':') + 1),
    name: words(o['name']),
    district: text(o['district']),
    location: lonLat(o['location']),
    measures,
  }
}

const ALERT_STATES: readonly string[] = ['open', 'acknowledged', 'resolved']

/** An alert from the list or from a change; null when it has no id. */
export function alertFrom(x: unknown): Alert | null {
  const o = record(x)
  const id = text(o['id'])
  if (id === null) return null
  const state = text(o['state']) ?? 'open'
  const ruleId = text(o['ruleId']) ?? ''
  return {
    id,
    ruleId,
    category: text(o['category']) ?? '',
    severity: text(o['severity']) ?? 'watch',
    state: (ALERT_STATES.includes(state) ? state : 'open') as AlertState,
    entity: text(o['refEntity']),
    entityName: words(o['entityName']),
    measure: text(o['observedAttribute']) ?? text(o['measure']) ?? text(o['attribute']),
    observedValue: number(o['observedValue']),
    threshold: number(o['threshold']),
    // In a list it stands beside the value, in a change with it.
    unit: text(o['unit']) ?? text(record(o['observedValue'])['unit']) ?? '',
    issuedAt_ms: instant(o['dateIssued']),
    escalatedAt_ms: instant(o['escalatedAt']),
    acknowledgedAt_ms: instant(o['acknowledgedAt']),
    acknowledgedBy: text(o['acknowledgedBy']),
    resolvedAt_ms: instant(o['resolvedAt']),
    resolvedBy: text(o['resolvedBy']),
    silentSince_ms: instant(o['silentSince']),
    note: text(o['note']),
    location: lonLat(o['location']),
    district: text(o['district']),
    provenance: provenance(o['provenance']),
    name: words(o['name']),
    description: words(o['description']),
    caseId: text(o['refCase']),
  }
}

/** A step in an alert's life, as the city keeps it. */
export interface AlertStep {
  readonly kind: string
  readonly at_ms: number | null
  readonly severity: string
  /** What was measured then, in the alert's unit. */
  readonly value: number | null
  /** A role, or "system". */
  readonly by: string | null
  readonly note: string | null
}

/** The steps of `GET /alerts/{id}`, in their order. */
export function alertStepsFrom(x: unknown): AlertStep[] {
  const steps = record(x)['steps']
  if (!Array.isArray(steps)) return []
  return steps.map((each: unknown) => {
    const o = record(each)
    return {
      kind: text(o['kind']) ?? '',
      at_ms: instant(o['at']),
      severity: text(o['severity']) ?? '',
      value: number(o['value']),
      by: text(o['by']),
      note: text(o['note']),
    }
  })
}

/** A case from the list or from a change; null when it has no id. */
export function caseFrom(x: unknown): CaseItem | null {
  const o = record(x)
  const id = text(o['id']) ?? text(o['caseId'])
  if (id === null) return null
  const from = text(o['provenance'])
  return {
    id,
    caseNumber: text(o['caseNumber']) ?? id.slice(id.lastIndexOf(':') + 1),
    category: codeOf(o['category']) ?? '',
    state: text(o['state']) ?? 'new',
    department: codeOf(o['department']),
    district: codeOf(o['district']),
    location: lonLat(o['location']),
    source: text(o['source']) ?? '',
    alertId: text(o['refAlert']),
    createdAt_ms: instant(o['openedAt']) ?? instant(o['createdAt']),
    dueAt_ms: instant(o['dueAt']),
    resolvedAt_ms: instant(o['resolvedAt']),
    rating: number(o['rating']),
    provenance: from === null ? null : provenance(from),
  }
}

/** A reference sent as "code" or as {code, name}. */
function codeOf(x: unknown): string | null {
  return text(x) ?? text(record(x)['code'])
}

/** The districts of the city's GeoJSON. */
export function districtsFrom(collection: unknown): District[] {
  const features = record(collection)['features']
  if (!Array.isArray(features)) return []
  const found: District[] = []
  for (const feature of features) {
    const p = record(record(feature)['properties'])
    const code = text(p['code'])
    if (code === null) continue
    found.push({
      code,
      name: words(p['name']),
      population: number(p['population']),
      approximate: p['approximate'] === true,
    })
  }
  return found
}

/** Twice its period old (or `fallback_s`): the screens grey it and say so. */
export function isStale(
  observedAt_ms: number | null,
  period_s: number | null,
  now_ms: number,
  fallback_s = 3600,
): boolean {
  return observedAt_ms === null || now_ms - observedAt_ms > 2 * (period_s ?? fallback_s) * 1000
}
