/** What the city's API sends and takes (`/api/v1`). Times are ISO 8601 in UTC. */
import type { FeatureCollection } from 'geojson'
import type { Words } from './i18n.svelte'

export type Instant = string
export type LonLat = [number, number]
export type Severity = 'watch' | 'warning' | 'critical'
export type Provenance = 'measured' | 'replayed' | 'simulated'
export type AlertState = 'open' | 'acknowledged' | 'resolved'
export type CaseState =
  | 'new'
  | 'routed'
  | 'accepted'
  | 'in_progress'
  | 'resolved'
  | 'closed'
  | 'rejected'
  | 'reopened'

export interface List<T> {
  items: T[]
  next: string | null
}

export interface ClockState {
  now: Instant
  speed: number
  mode: 'live' | 'replay' | 'simulated'
  loop: number
  originalNow: Instant | null
  paused?: boolean
}

/** A head of the tree of problems. */
export interface CategoryGroup {
  code: string
  name: Words
  icon?: string
}

/** A kind of problem that can be reported. */
export interface Category extends CategoryGroup {
  group?: string | null
  photoAdvised?: boolean
}

export interface Attribution {
  title: Words
  licence: string
  url?: string
}

export interface City {
  code: string
  name: Words
  timeZone: string
  languages: string[]
  center: LonLat
  bounds: [number, number, number, number]
  clock: ClockState
  shapes: { districts: 'exact' | 'approximate'; layers: string[] }
  categories: Category[]
  groups?: CategoryGroup[]
  departments?: { code: string; name: Words }[]
  attributions: Attribution[]
  mqttPort?: number
  wsPort?: number
  basemap: string | null
  open: boolean
}

export interface DistrictProperties {
  code: string
  name: Words
  population?: number
  approximate?: boolean
  center?: LonLat
}
export type Districts = FeatureCollection<GeoJSON.Geometry, DistrictProperties>

export interface Measured {
  value: number | null
  unitCode?: string
  unit?: string
  observedAt: Instant
  provenance: Provenance
  originalObservedAt?: Instant | null
  quality: string[]
  stale: boolean
  period_s?: number
}

export interface Station {
  id: string
  type: string
  code: string
  name: Words
  district: string | null
  location: LonLat
  measures: Record<string, Measured>
}

export interface CityNow {
  asOf: Instant
  stations: { count: number; fresh: number; stale: number }
  worst: Station[]
  alerts: { open: number; bySeverity: Partial<Record<Severity, number>> }
  cases: { open: number; overdue: number; today: number }
  inTimeShare: number | null
}

export interface ScaleBreak {
  /** The upper bound of the step; null for the last one. */
  upTo: number | null
  color: string
  label: Words
  advice?: Words
}

export interface Measure {
  code: string
  name: Words
  unit: string
  kind: 'station' | 'district'
  scale: string
  breaks: ScaleBreak[]
}

export interface Frames {
  times: Instant[]
  series: { id: string; values: (number | null)[] }[]
}

export interface Alert {
  id: string
  ruleId?: string
  category: string
  severity: Severity
  state: AlertState
  refEntity?: string
  name?: Words
  entityName?: Words
  observedValue?: number | null
  unit?: string
  threshold?: number | null
  dateIssued: Instant
  acknowledgedAt?: Instant | null
  acknowledgedBy?: string | null
  resolvedAt?: Instant | null
  location?: LonLat | null
  district?: string | null
  provenance?: Provenance
  description?: Words
  refCase?: string | null
}

export interface Account {
  id: string
  username: string
  name: string
  roles: string[]
  departments: string[]
  language: string | null
}

export interface Session {
  account: Account | null
  csrf: string | null
  /** What this reader may do (`case:act`, …): show no button that would be refused. */
  permissions: string[]
}

export interface Named {
  code: string
  name: Words
}

export interface Sent {
  trackingCode: string
  caseNumber: string
  caseId: string
  department: Named
  dueAt: Instant
}

export interface Step {
  at: Instant
  state: CaseState | string
  kind?: string
  title?: Words
  /** What happened, in the city's words. */
  words?: Words
  /** What a person wrote about it. */
  text?: string | null
  stars?: number | null
  by?: Words
  photos?: string[]
}

export interface Followed {
  caseNumber: string
  category: string
  state: CaseState
  steps: Step[]
  dueAt: Instant | null
  createdAt?: Instant
  overdue?: boolean
  department: Named | null
  location: LonLat | null
  district?: string | null
  canRate: boolean
  canReopenUntil: Instant | null
  rating: number | null
}

export interface Notice {
  version?: string
  purpose: Words
  retention: Words
  controller: Words
  rights: Words
}

export interface CaseSummary {
  id: string
  caseNumber: string
  category: string
  state: CaseState
  department: string | null
  district: string | null
  location: LonLat | null
  source: string
  createdAt: Instant
  dueAt: Instant | null
  overdue: boolean
  acceptedAt?: Instant | null
  resolvedAt?: Instant | null
  closedAt?: Instant | null
  resolution?: string | null
  rating?: number | null
  reopenedCount?: number
  refAlert?: string | null
  provenance?: Provenance
  priority?: string | null
  assigned?: boolean
  photoCount?: number
}

export type CaseAct = 'accept' | 'start' | 'assign' | 'resolve' | 'reject' | 'note' | 'reroute'

export interface CaseDetail extends CaseSummary {
  steps: Step[]
  words?: string | null
  photos?: string[]
  contact?: { name?: string | null; contact?: string | null } | null
  /** Acts that this reader may do now. */
  acts: CaseAct[]
  departments?: Named[]
  crews?: { id: string; name: string }[]
}

export interface Indicator {
  code: string
  name: Words
  unit: string
  formula: Words
  value: number | null
  numerator: number
  denominator: number
  asOf: Instant
  quality?: string
  rows?: { district: string; value: number | null; numerator: number; denominator: number }[]
  missing?: string[]
}

/** A change heard on the live stream. */
export interface LiveChange {
  seq: number
  id: string
  type: string
  op: 'create' | 'update' | 'replace' | 'delete' | 'temporal'
  attrs: Record<string, unknown>
}
