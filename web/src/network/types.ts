/** What the network's routes send (docs/reference/network.md and network-work.md). Times are ISO 8601 in UTC. */
import type { Instant, List, LonLat } from '$kit/api-types'
import type { Words } from '$kit/i18n.svelte'

export type { List }

/** A day: `YYYY-MM-DD`. */
export type Day = string
/** A status of a row; null where the report does not say it. */
export type Status =
  | 'planning' | 'ongoing' | 'ongoing_or_planning' | 'completed' | 'suspended' | 'cancelled' | null
export type Became =
  | 'continued' | 'respelled' | 'renamed' | 'completed' | 'merged' | 'split' | 'cancelled' | 'vanished' | 'new' | 'returned'

export interface Member {
  code: string
  name: Words
  country: string
  countryName?: Words
  joinedYear: number
  pilot: boolean
  status: string
  leftYear: number | null
  location: LonLat | null
  focus: string[]
  source: string
  version: number
}

/** An office held for a time; who holds it is an account, never named here. */
export interface Term {
  id: number
  role: string
  /** A member (chief), a country (national, shepherd, chair), a partner, or nothing. */
  scope: string
  scopeName?: Words
  office?: Words
  starts: Day
  ends: Day | null
  source: string
}

export interface Outcome {
  year: number
  to: number
  city: string
  name: string
  focus: string | null
  kind: Became
  laterName: string | null
  project: string | null
  matches?: (string | number)[]
}

export interface MemberProject {
  project: string | null
  name: string
  formerNames: (string | { name: string })[]
  years: { year: number; name: string; focus: string | null; status: Status }[]
  became?: Became | Outcome | null
}

export interface MemberPage extends Member {
  terms: Term[]
  projects: MemberProject[]
}

export interface Row {
  year: number
  project: string | null
  name: string
  city: string
  cityName: Words
  country: string
  focus: string | null
  focusName?: Words
  status: Status
  statusName?: Words
  file?: string
  line?: number
}

export interface Title {
  name: string
  firstYear: number
  lastYear: number
  focus?: string | null
}

export interface IdentityMatch {
  id: string | number
  city: string
  cityName: Words
  earlier: Title
  later: Title
  score: number
  reasons: Words[]
  state: 'proposed' | 'confirmed' | 'rejected'
  kind: string | null
  note: string | null
}

export interface Cell {
  code: string
  name: Words
  count: number | null
  share: number | null
  missing?: Words
}

export interface Difference {
  measure: Words
  printed: string | number | null
  unit: string
  derived: string | number | null
  agrees: boolean | null
  why: Words
  note: Words
}

/** Counts by two things together. */
export interface Matrix {
  rows: { code: string; name: Words }[]
  columns: { code: string; name: Words }[]
  counts: number[][]
}

/** The figures of a year; its rows are read by pages of `/network/projects`, or as a file. */
export interface Figures {
  year: number
  asOf: Instant | null
  cities: number
  countries: number
  members: number
  projects: number
  byFocus: Cell[]
  byStatus: Cell[]
  byCountry: Cell[]
  byCity: Cell[]
  focusByCountry: Matrix
  /** A status that the rows do not say is the column `none`. */
  focusByStatus: Matrix
  became: { from: number; counts: Partial<Record<Became, number>> } | null
  differences: Difference[]
  sources: Words[]
  /** Of a frozen version; null of the rows as they are now. */
  sha256: string | null
}

export interface Step {
  n: number
  at: Instant
  act: string
  name?: Words
  from: string | null
  to: string | null
  who?: string
  office: string | null
  of: string | null
  words: string | null
  automatic: boolean
  bySilence: boolean
}

export interface Act {
  code: string
  name: Words
  possible: boolean
  why: Words
  wantsWords: boolean
  /** Fields that it asks for: `endsOn`. */
  takes?: string[]
}

export interface Part {
  code: string
  name: Words
  meaning: Words
  required: boolean
  charactersMin?: number
  text?: string | null
  missing?: Words
}

export interface Lane {
  code: string
  name: Words
  reviewsMin: number
  done: boolean
  reviews: { country: string; verdict: string; words: string; at: Instant }[]
}

export interface Position {
  country: string
  position: string
  words: string
  at: Instant
  bySilence: boolean
}

/** An application, a return or an agreement: one mechanism. Lists leave the long parts out. */
export interface Process {
  id: string
  process: string
  processName?: Words
  partner?: string | null
  version: number
  title: string
  city: string | null
  country: string | null
  year: number | null
  phase: string | number | null
  state: string
  stateName: Words
  ended: boolean
  enteredAt: Instant
  dueAt: Instant | null
  overdue: boolean
  openedAt: Instant
  fields?: Record<string, unknown>
  parts?: Part[]
  completeness?: { complete: boolean; missing: { code: string; name: Words; why: Words }[] }
  lanes?: Lane[]
  positions?: Position[]
  consensus?: { reached: boolean; objections: string[]; waitingFor: string[]; seats?: string[] } | null
  whose?: { office: string; of: string | null; act: string }[]
  acts?: Act[]
  may?: { edit: boolean; review: string[]; position: boolean }
  certificate?: string | { id: string } | null
  steps?: Step[]
}

export interface Definition {
  code: string
  name: Words
  parts: Part[]
  lanes: { code: string; name: Words; reviewsMin: number }[]
  states: {
    code: string
    name: Words
    kind: 'open' | 'ended'
    due: { days?: number; count?: string; field?: string } | null
  }[]
  acts?: { code: string; name: Words }[]
}

export interface Line {
  key: string
  kind: 'project' | 'indicator'
  subject: string
  name: Words
  field: string
  value: string | number | boolean | null
  unit: string | null
  grade: string | null
  from: { entity: string | null; attribute: string | null; how: 'prefilled' | 'entered' | 'missing' } | null
  asOf: Instant | null
  reason: string | null
  by?: string | null
  before?: string | number | boolean | null
}

export interface YearlyReturn extends Process {
  lines: Line[]
}

export interface ReturnProgress {
  year: number
  total: number
  states: { state: string; name: Words; count: number; overdue: number }[]
}

export interface Need {
  id: string
  version: number
  city: string
  country: string
  title: string
  words: string
  focusArea: string | null
  stage: string | null
  kinds: string[]
  amount: number | null
  currency: string | null
  project: string | null
  until: Day | null
  state: string
}

export interface Offer {
  id: string
  version: number
  state: string
  partner: string
  kind: string
  title: Words
  words: Words
  focusAreas: string[]
  countries: string[]
  stages?: string[]
  sizes?: string[]
  climates?: string[]
  incomes?: string[]
  opensOn: Day | null
  closesOn: Day | null
  city: string | null
  source: string | null
  amountMin?: number | null
  amountMax?: number | null
  currency?: string | null
}

export interface Partner {
  code?: string
  id?: string
  name: Words
  class: string
  kind?: string
  topic?: string
  kindOrTopic?: string
  source: string
}

export interface NeedMatch {
  id: string
  need: string | Need
  offer: string | Offer
  city: string
  country: string
  partner: string
  needTitle?: string | null
  offerTitle?: string | null
  score: number
  reasons: { code: string; points: number; words: Words }[]
  state: 'proposed' | 'accepted-by-city' | 'accepted-by-partner' | 'agreed' | 'declined'
  steps: { at: Instant; office: string; of: string | null; act: string; words: string | null }[]
}

export interface Practice {
  id: string
  version: number
  state: string
  city: string
  country: string
  language: string
  title: string
  words: string
  lessons: string
  focusArea: string | null
  projects: string[]
  results: { measure: string; before: number | null; after: number | null; unit: string; asOf: Day; source: string }[]
  score?: number
}

export interface MeetingAction {
  id: string
  words: string
  owner: string
  dueOn: Day | null
  doneAt: Instant | null
  doneWords: string | null
  overdue: boolean
  meeting?: string
  body?: string
}

export interface Meeting {
  id: string
  body: string
  title: Words
  startsAt: Instant
  place: string
  state: 'called' | 'running' | 'closed'
  agenda: { n: number; title: string; words: string | null; action: string | null }[]
  papers: {
    name: string
    title: string
    item: number | null
    versions: { version: number; sha256: string; bytes: number; at: Instant }[]
  }[]
  attendance: { seat: string; present: string | null }[]
  quorum: { of: number; in: number; present: number; needed: number; reached: boolean } | null
  decisions: { n: number; item: number; words: string; positions: { seat: string; position: string; words?: string }[]; at: Instant }[]
  actions: MeetingAction[]
  version: number
}

export interface Chart {
  code: string
  name?: Words
  unit: string
  cities: {
    city: string
    name: Words
    points: { from: Day; to: Day; value: number | null; grade: string | null; asOf: Instant | null }[]
    missing: Words
  }[]
}

/** A member with what it reported for a year, for the map. */
export interface SummaryMember extends Member {
  projects: number
  byFocus: Record<string, number>
  byStatus: Record<string, number>
}

/** How many projects of a year stand where. */
export interface StatusCounts {
  year: number
  projects: number
  cities: number
  items: { country: string; focus: string; status: Status; count: number }[]
}
