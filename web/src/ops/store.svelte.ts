/** What the operations centre knows: read once, then kept by the live stream. */
import { api, asProblem, type Problem } from '$kit/api'
import type { CityNow, Districts, LiveChange } from '$kit/api-types'
import { city } from '$kit/city.svelte'
import { live } from '$kit/live.svelte'
import {
  alertFrom,
  caseFrom,
  districtsFrom,
  readingFrom,
  stationFrom,
  type Alert,
  type CaseItem,
  type District,
  type Station,
} from './model/city'
import { measuresFrom, type Measure } from './model/scale'
import { countBySeverity, isFinished, isOverdue } from './model/urgency'

/** Changes are shown together this often: a screen that flickers cannot be read. */
const SHOW_EVERY_MS = 400
/** Counts and full station readings are read again at most this often while changes come in. */
const REREAD_EVERY_MS = 4_000
/** Lists are read in pages up to this many: what one officer can overlook, and a map can draw. */
const ROWS_MAX = 2_000
const PAGE = 200
/** Finished ones shown beside the open: enough for a shift, and for the day on the slider. */
const FINISHED_MAX = 600

const TYPES = ['AirQualityObserved', 'WeatherObserved', 'WaterObserved', 'Alert', 'Case']

export type Part = 'alerts' | 'cases' | 'stations' | 'districts' | 'measures' | 'now'
type Raw = Record<string, unknown>
type Page = { items?: Raw[]; next?: string | null }

async function readAll(
  path: string,
  query: Record<string, string>,
  most = ROWS_MAX,
): Promise<Raw[]> {
  const rows: Raw[] = []
  let after: string | null = null
  do {
    const page: Page = await api.get<Page>(path, { ...query, limit: PAGE, after })
    rows.push(...(page.items ?? []))
    after = page.next ?? null
  } while (after !== null && rows.length < most)
  return rows
}

class Operations {
  stations = $state.raw<readonly Station[]>([])
  alerts = $state.raw<readonly Alert[]>([])
  cases = $state.raw<readonly CaseItem[]>([])
  districts = $state.raw<readonly District[]>([])
  shapes = $state.raw<Districts | null>(null)
  measures = $state.raw<readonly Measure[]>([])
  now = $state.raw<CityNow | null>(null)
  /** Parts that could not be read, with why. */
  problems = $state.raw<ReadonlyMap<Part, Problem>>(new Map())
  /** Whether everything was tried once. */
  ready = $state(false)
  /** The newest alert that was raised while this page was open. */
  announced = $state.raw<Alert | null>(null)
  /** City time of what is on screen, for when the line is lost. */
  asOf = $state.raw<Date | null>(null)

  readonly line = live(TYPES)
  readonly bySeverity = $derived(countBySeverity(this.alerts))
  readonly open = $derived(this.cases.filter((item) => !isFinished(item)))
  readonly overdue = $derived(this.open.filter((item) => isOverdue(item, city.now.getTime())))

  /** All open cases of the city: the list holds no more than an officer can overlook. */
  readonly openCount = $derived(Math.max(this.open.length, this.now?.cases.open ?? 0))

  readonly stationsById = $derived(new Map(this.stations.map((s) => [s.id, s])))
  readonly alertsById = $derived(new Map(this.alerts.map((a) => [a.id, a])))
  readonly casesById = $derived(new Map(this.cases.map((c) => [c.id, c])))
  readonly districtsByCode = $derived(new Map(this.districts.map((d) => [d.code, d])))

  /** Parts whose list was read once: before that an empty list means nothing. */
  read = $state.raw<ReadonlySet<Part>>(new Set())

  /** Changes heard while lists are being read, to be laid over what was read. */
  #meanwhile: LiveChange[] | null = null
  #rawAlerts = new Map<string, Raw>()
  #rawCases = new Map<string, Raw>()
  #waiting: LiveChange[] = []
  #showTimer: ReturnType<typeof setTimeout> | null = null
  #rereadTimer: ReturnType<typeof setTimeout> | null = null

  /** Read everything and listen until the returned function is called. */
  start(): () => void {
    void this.readAgain()
    const offChange = this.line.onChange((change) => this.#hear(change))
    const offReturn = this.line.onReturn(() => void this.readAgain())
    const stop = this.line.start()
    return () => {
      offChange()
      offReturn()
      stop()
    }
  }

  async readAgain(): Promise<void> {
    const meanwhile: LiveChange[] = []
    this.#meanwhile = meanwhile
    await Promise.all([
      this.#part('districts', async () => {
        this.shapes = await api.get<Districts>('/city/districts')
        this.districts = districtsFrom(this.shapes)
      }),
      this.#part('measures', async () => {
        this.measures = measuresFrom(await api.get<unknown>('/measures'))
      }),
      this.#readStations(),
      this.#readNow(),
      this.#part('alerts', async () => {
        const rows = [
          ...(await readAll('/alerts', { state: 'open,acknowledged' })),
          ...(await readAll('/alerts', { state: 'resolved' }, FINISHED_MAX)),
        ]
        this.#rawAlerts = laidOver(rows, meanwhile, 'Alert')
        this.#showAlerts()
      }),
      this.#part('cases', async () => {
        const finished = { state: 'resolved,closed,rejected', order: 'newest' }
        const rows = [
          ...(await readAll('/cases', { state: 'open' })),
          ...(await readAll('/cases', finished, FINISHED_MAX)),
        ]
        this.#rawCases = laidOver(rows, meanwhile, 'Case')
        this.#showCases()
      }),
    ])
    if (this.#meanwhile === meanwhile) this.#meanwhile = null
    this.ready = true
    this.asOf = city.now
  }

  /** Take the answer of an act at once, without waiting for the stream. */
  takeAlert(row: unknown): void {
    const alert = alertFrom(row)
    if (!alert) return
    this.#rawAlerts.set(alert.id, { ...this.#rawAlerts.get(alert.id), ...(row as Raw) })
    this.#showAlerts()
  }

  async #part(part: Part, read: () => Promise<void>): Promise<void> {
    try {
      await read()
      if (!this.read.has(part)) this.read = new Set(this.read).add(part)
      if (this.problems.has(part)) this.problems = without(this.problems, part)
    } catch (thrown) {
      this.problems = new Map(this.problems).set(part, asProblem(thrown))
    }
  }

  #readStations(): Promise<void> {
    return this.#part('stations', async () => {
      const rows = await readAll('/stations', {})
      this.stations = rows.flatMap((row) => stationFrom(row) ?? [])
    })
  }

  #readNow(): Promise<void> {
    return this.#part('now', async () => {
      this.now = await api.get<CityNow>('/city/now')
    })
  }

  #hear(change: LiveChange): void {
    this.#waiting.push(change)
    this.#meanwhile?.push(change)
    this.#showTimer ??= setTimeout(() => {
      this.#showTimer = null
      this.#show()
    }, SHOW_EVERY_MS)
  }

  #show(): void {
    const changes = this.#waiting
    this.#waiting = []
    let alerts = false
    let cases = false
    let raised: string | null = null
    let stations: Map<string, Station> | null = null
    for (const change of changes) {
      if (change.type === 'Alert') {
        if (change.op === 'create' && !this.#rawAlerts.has(change.id)) raised = change.id
        keep(this.#rawAlerts, change)
        alerts = true
      } else if (change.type === 'Case') {
        keep(this.#rawCases, change)
        cases = true
      } else {
        const heard = withReadings(this.stationsById.get(change.id), change.attrs)
        if (heard) (stations ??= new Map()).set(heard.id, heard)
        this.#rereadSoon()
      }
    }
    if (alerts) this.#showAlerts()
    // Said once it is whole: what was measured comes behind the rest of a new alert.
    if (raised) this.announced = this.alertsById.get(raised) ?? this.announced
    if (cases) this.#showCases()
    if (stations) {
      const newer = stations
      this.stations = this.stations.map((station) => newer.get(station.id) ?? station)
    }
    if (alerts || cases) this.#rereadSoon()
    this.asOf = city.now
  }

  #showAlerts(): void {
    this.alerts = [...this.#rawAlerts.values()].flatMap((row) => alertFrom(row) ?? [])
  }

  #showCases(): void {
    this.cases = [...this.#rawCases.values()].flatMap((row) => caseFrom(row) ?? [])
  }

  #rereadSoon(): void {
    this.#rereadTimer ??= setTimeout(() => {
      this.#rereadTimer = null
      void this.#readStations()
      void this.#readNow()
    }, REREAD_EVERY_MS)
  }
}

function without(problems: ReadonlyMap<Part, Problem>, part: Part): Map<Part, Problem> {
  const rest = new Map(problems)
  rest.delete(part)
  return rest
}

function keep(rows: Map<string, Raw>, change: LiveChange): void {
  if (change.op === 'delete') {
    rows.delete(change.id)
    return
  }
  // A part of something that is not listed (finished long ago, or still being read) is no row.
  if (!rows.has(change.id) && change.op !== 'create') return
  rows.set(change.id, { ...rows.get(change.id), ...change.attrs, id: change.id })
}

/** What was read, brought up to date by what was heard while it was being read. */
function laidOver(
  rows: readonly Raw[],
  changes: readonly LiveChange[],
  type: string,
): Map<string, Raw> {
  const found = new Map(rows.map((row) => [String(row['id']), row]))
  for (const change of changes) if (change.type === type) keep(found, change)
  return found
}

/** The station with the readings a change carries. */
function withReadings(station: Station | undefined, attrs: Raw): Station | null {
  if (!station) return null
  let measures = station.measures
  for (const [code, reading] of Object.entries(measures)) {
    const heard = attrs[code]
    if (heard === undefined || heard === null) continue
    // Bare, or with its own hour and flags; what a change leaves out stays as it was.
    const told = typeof heard === 'object' ? readingFrom(heard) : null
    const value = told ? told.value : typeof heard === 'number' ? heard : null
    if (value === null) continue
    const fresh = told
      ? { ...told, unit: reading.unit, period_s: reading.period_s, stale: false }
      : { ...reading, value, stale: false }
    measures = { ...measures, [code]: fresh }
  }
  return measures === station.measures ? null : { ...station, measures }
}

export const operations = new Operations()
