/** One number per district, made from what the city shows, with what it was made from. */
import type { Alert, CaseItem, District, Station } from './city'
import { isFinished, isOverdue } from './urgency'

export interface DistrictValue {
  readonly code: string
  /** Null where there is nothing to count from; never filled in. */
  readonly value: number | null
  /** Stations or cases behind the value. */
  readonly count: number
}

/** The plain mean of the stations of each district that have a fresh, unflagged value. */
export function meanOfStations(
  districts: readonly District[],
  stations: Iterable<Station>,
  measure: string,
  values?: ReadonlyMap<string, number | null>,
): DistrictValue[] {
  const sums = new Map<string, { sum: number; count: number }>()
  for (const station of stations) {
    const reading = station.measures[measure]
    const doubtful = reading !== undefined && (reading.stale || isDoubtful(reading.quality))
    // A frame of the past is taken as it is: staleness is about now.
    const value = values ? (values.get(station.id) ?? null) : doubtful ? null : reading?.value
    if (station.district === null || value === null || value === undefined) continue
    const so = sums.get(station.district) ?? { sum: 0, count: 0 }
    sums.set(station.district, { sum: so.sum + value, count: so.count + 1 })
  }
  return districts.map(({ code }) => {
    const so = sums.get(code)
    return { code, value: so ? so.sum / so.count : null, count: so?.count ?? 0 }
  })
}

/** Flags that take a value out of a decision; a gap before it does not. */
export function isDoubtful(quality: readonly string[]): boolean {
  return quality.some((flag) => flag !== 'gap')
}

/** Cases not finished (or of these the overdue) per district; a district without any has 0. */
export function countCases(
  districts: readonly District[],
  cases: Iterable<CaseItem>,
  which: 'open' | 'overdue',
  now_ms: number,
): DistrictValue[] {
  const counts = new Map<string, number>()
  for (const item of cases) {
    const counted = which === 'open' ? !isFinished(item) : isOverdue(item, now_ms)
    if (counted && item.district !== null) {
      counts.set(item.district, (counts.get(item.district) ?? 0) + 1)
    }
  }
  return districts.map(({ code }) => {
    const count = counts.get(code) ?? 0
    return { code, value: count, count }
  })
}

export function populations(districts: readonly District[]): DistrictValue[] {
  return districts.map(({ code, population }) => ({
    code,
    value: population,
    count: population === null ? 0 : 1,
  }))
}

/** Alerts not resolved, per district: for the words of the district list. */
export function openAlerts(alerts: Iterable<Alert>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const alert of alerts) {
    if (alert.state === 'resolved' || alert.district === null) continue
    counts.set(alert.district, (counts.get(alert.district) ?? 0) + 1)
  }
  return counts
}
