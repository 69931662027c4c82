/** What `/api/v1/indicators`, `/projects` and `/plans` send and take. */
import type { LonLat, Words } from '$kit'

export type Direction = 'up' | 'down' | 'context' | 'one' | 'yes'
export type Quality = 'complete' | 'partial' | 'missing'
export type Status = 'draft' | 'checked' | 'approved' | 'locked'
export type Standing =
  | 'reached' | 'on-track' | 'at-risk' | 'off-track' | 'missed' | 'no-value' | 'not-begun'
  | 'no-baseline' | 'not-reported'

export interface Target {
  code: string
  area: string
  version: number
  baseline: number
  baselineOn: string
  target: number
  targetOn: string
  sense: 'up' | 'down'
  note: string | null
  source: string
  value: number | null
  standing: Standing
  expected: number | null
  made: number | null
  wanted: number | null
}

/** One indicator of a scorecard. */
export interface Line {
  code: string
  set: string
  standardCode: string | null
  name: Words
  unit: string
  evidence: 'confirmed' | 'unconfirmed' | 'unverified'
  value: number | null
  valueId: number | null
  period: string | null
  quality: Quality
  status: Status | null
  method: string | null
  answeredBy: string | null
  near: boolean
  caveat: Words
  missing: string[]
  direction: Direction
  before: number | null
  change: number | null
  better: boolean | null
  target: Target | null
}

export interface Place {
  frame: string
  level: string
  code: string
  name: Words
  parent: string | null
  answered: number
  indicators: Line[]
}

export interface IndicatorSet {
  code: string
  name: Words
  publisher: string
  kind: string
  definitions: number
  computed: number
  unconfirmed: number
}

export interface Definition {
  code: string
  set: string
  standardCode: string | null
  name: Words
  meaning: Words
  unit: string
  numerator: string
  denominator: string | null
  /** Numerator and denominator in words, of those that a set describes. */
  parts: { numerator?: Words; denominator?: Words }
  factor: number
  direction: Direction
  frequency: 'month' | 'year'
  dimensions: Record<string, string[]>
  evidence: Line['evidence']
  source: string
  rules: string[]
  version: number
  measure: string
  relation: 'same' | 'near'
  caveat: Words
  frames: string[]
  reference: string | null
  formula: {
    code: string
    numerator: string
    denominator: string
    factor: number
    version: number
    distance: 'straight' | 'streets' | null
  } | null
  sameMeasure: { code: string; set: string; relation: 'same' | 'near' }[]
}

export interface Finding {
  code: string
  severity: 'error' | 'warning'
  words: string
}

export interface Evidence {
  title: string
  url?: string
  file?: string
}

export interface ValueStep {
  n: number
  at: string
  kind: string
  role: string
  before: number | null
  after: number | null
  who?: string
  words?: string | null
}

/** A stored value. What town hall alone sees is absent for others. */
export interface Value {
  id: number
  code: string
  city: string
  period: { start: string; end: string; label: string }
  area: string
  breakdown: string
  value: number | null
  numerator: number | null
  denominator: number | null
  unit: string
  unitCode: string | null
  quality: Quality
  suppressed: boolean
  missing: string[]
  method: string
  formulaVersion: number | null
  at: string
  status: Status
  version: number
  author?: string
  note?: string | null
  evidence?: Evidence[]
  findings?: Finding[]
  recount?: { value: number | null } | null
  steps?: ValueStep[]
}

export interface Side {
  value: number | null
  numerator: number | null
  denominator: number | null
  quality: Quality
  missing: string[]
}

export interface Change {
  code: string
  name: Words
  unit: string
  direction: Direction
  now: Side
  before: Side
  change: number | null
  better: boolean | null
  cause: {
    numerator: number
    denominator: number
    districts: { district: string; part: number }[]
  } | null
}

export interface Changes {
  asOf: string
  from: string
  before: string
  items: Change[]
}

/** An indicator counted now, by district. */
export interface Counted {
  code: string
  value: number | null
  asOf: string
  quality: Quality
  missing: string[]
  counted: string
  rows?: {
    district: string | null
    value: number | null
    numerator: number | null
    denominator: number | null
    suppressed: boolean
  }[]
}

/** A record behind a number: which fields it has depends on the kind. */
export interface LineageRecord {
  id?: string
  entity?: string
  attribute?: string
  day?: string
  district?: string | null
  department?: string | null
  state?: string
  severity?: string
  issuedAt?: string | null
  readings?: number
  good?: number
  sum?: number | null
  highest?: number | null
  layer?: string
  code?: string
  name?: Words
  location?: LonLat
}

export interface Lineage {
  value: Value
  inputs?: Record<string, unknown> | null
  countedNow?: Omit<Side, 'quality' | 'missing'> | null
  part?: string
  set?: string
  kind?: 'cases' | 'alerts' | 'station-days' | 'stations' | 'places' | 'none'
  items?: LineageRecord[]
  next?: string | null
}

export interface Reading {
  attribute: string
  observedAt: string
  value: number
  unitCode: string | null
  flags: string[]
  provenance: string
}

export interface CellProblem {
  cell: string
  code: string
  words: string
}
export interface Uploaded {
  rows: number
  stored: number
  changed: number
  problems: CellProblem[]
  warnings: CellProblem[]
}

// --- projects and plans ---------------------------------------------------------------------------

export interface ProjectSummary {
  id: string
  name: string
  city: string
  country: string
  origin: 'own' | 'register' | 'received'
  published: boolean
  version: number
  focusArea: string | null
  projectType: string | null
  stage: string | null
  state: string
  status: string | null
  startYear: number | null
  endYear: number | null
  cost: number | null
  currency: string | null
  fundingGap: number | null
  readiness: number | null
  location: LonLat | null
  workedExample: boolean
  /** The next stage's planned day that has not been reached. */
  dueOn: string | null
  changedAt: string
}

export interface TargetState {
  standing: Standing
  value: number | null
  unit?: string | null
  on?: string | null
  quality?: Quality | null
  entity?: string | null
  expected?: number | null
  made?: number | null
  why?: string | null
}

export interface ProjectMeasure {
  name: string
  unit?: string
  indicator?: string | null
  baseline?: number | null
  baselineOn?: string | null
  target?: number | null
  targetOn?: string | null
  actual?: number | null
  actualOn?: string | null
  sense?: 'up' | 'down'
  source?: string
  reading?: TargetState | null
}

export interface Funding {
  source: string
  kind?: string
  state: 'sought' | 'committed' | 'paid'
  amount: number | null
  currency?: string
  year?: number | null
  note?: string
}

export interface Risk {
  name: string
  likelihood: number
  consequence: number
  owner?: string
  response?: string
}

/** Costs and revenue by year, from `firstYear` on. */
export interface Flows {
  currency: string
  priceYear: number
  firstYear: number
  rate: number
  capital?: number[]
  operating?: number[]
  revenue?: number[]
  benefits?: number[]
  assumptions?: string
  source?: string
}

export interface ProjectBody {
  name: string
  names?: Words
  summary?: Words
  problem?: Words
  success?: Words
  focusArea?: string
  projectType?: string
  location?: LonLat
  startYear?: number
  endYear?: number
  place?: string
  responsible?: string
  milestones?: { stage: string; planned?: string | null; reached?: string | null }[]
  measures?: ProjectMeasure[]
  cost?: { currency: string; priceYear: number; amount?: number | null; source?: string } | null
  flows?: Flows | null
  workedExample?: boolean
  funding?: Funding[]
  partners?: { name: string; role: string; note?: string }[]
  risks?: Risk[]
  challenges?: string[]
  support?: string[]
  lessons?: string[]
  legal?: { title: string; state: string; reference?: string }[]
  evidence?: (Evidence & { proves?: string[] })[]
  source?: string
}

export interface Project extends ProjectSummary {
  body: ProjectBody
  formerNames: { name: string; until: number | null; source: string }[]
  years: { year: number; name: string; focusArea: string | null; status: string | null; source: string }[]
  mergedInto: string | null
  splitFrom: string | null
  successors: string[]
  adoptedFrom: string | null
  endedYear: number | null
  reason: string | null
  money: {
    currency: string | null
    priceYear: number | null
    cost: number | null
    sought: number | null
    committed: number | null
    paid: number | null
    gap: number | null
    why?: string | string[] | null
  } | null
  steps: { stage: string; allowed: boolean; needs: string; missing: string[] }[]
  acts: string[]
  plans: { id: string; title: Words; target?: unknown; indicator?: string | null }[]
  measures?: ProjectMeasure[]
}

export interface FrameworkWord {
  code: string
  name?: Words
  words?: Words
  demands?: unknown
}
export interface Framework {
  focusAreas: FrameworkWord[]
  projectTypes?: FrameworkWord[]
  stages: FrameworkWord[]
  states: FrameworkWord[]
  rubric?: FrameworkWord[]
}

export interface Readiness {
  score: number | null
  of: number
  rubric: string
  criteria: {
    code: string
    words: Words
    points: number
    earned: number
    evidence: Evidence[]
    missing: string[]
    said: boolean
  }[]
}

export interface Sheet {
  currency: string
  priceYear: number
  firstYear: number
  rate: number
  years: {
    year: number
    capital: number
    operating: number
    revenue: number
    benefits: number
    net: number
    discounted: number
    cumulative: number
  }[]
  npv: number
  irr: { verdict: 'one' | 'several' | 'none'; values: number[]; why: string | null }
  payback: { simple: number | null; discounted: number | null; why: string | null }
  benefitCost: number | null
  economicNpv: number | null
  sensitivity: { case: Words; change: string | number; npv: number; irr: Sheet['irr'] | number | null; benefitCost: number | null }[]
  switching: { what: string; value: number | null; unit: string; words: Words }[]
  workedExample?: boolean
  assumptions?: Words
  source?: string
}

export interface PlanTarget {
  indicator: string
  unit: string
  baseline: number | null
  baselineOn: string | null
  target: number
  targetOn: string
  sense: 'up' | 'down'
  area?: string
  responsible?: string
  projects?: string[]
  source?: string
}

export interface PlanSummary {
  id: string
  city: string
  title?: Words
  version: number
  published: boolean
  state: string
  firstYear?: number
  lastYear?: number
  body?: Plan['body']
}
export interface Plan extends PlanSummary {
  body: {
    title: Words
    firstYear: number
    lastYear: number
    summary?: Words
    responsible?: string
    source?: string
    objectives: { title: Words; frame?: string; targets: PlanTarget[] }[]
    budgets?: { project: string; amount: number; currency: string; year: number; responsible?: string }[]
  }
  targets: { objective: number; index: number; indicator: string; state: TargetState }[]
  acts: string[]
}

export interface Conflict {
  code: string
  words: string
  city: string
  plans: string[]
  indicator?: string | null
  project?: string | null
}
