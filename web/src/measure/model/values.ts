/** Values in time: which are drawn, how many decimals, what a period is called. Pure. */
import type { Change, Line, Place, Value } from '../types'

/** A unit that is a share of something. */
const isShare = (unit: string) => unit === '%'

/** Decimals that a reader can use: three figures, and no more than the unit bears. */
export function decimalsOf(value: number | null | undefined, unit = ''): number {
  if (value === null || value === undefined || Number.isInteger(value)) return 0
  const size = Math.abs(value)
  if (isShare(unit)) return size < 1 ? 2 : 1
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4
}

/** The period of a value in days: a month has 28 to 31, a quarter 90, a year 365. */
export function daysOf(value: Pick<Value, 'period'>): number {
  return Math.round((Date.parse(value.period.end) - Date.parse(value.period.start)) / 86_400_000)
}

export type Rhythm = 'month' | 'quarter' | 'year' | 'other'
export function rhythmOf(value: Pick<Value, 'period'>): Rhythm {
  const days = daysOf(value)
  if (days >= 28 && days <= 31) return 'month'
  if (days >= 89 && days <= 92) return 'quarter'
  if (days === 365 || days === 366) return 'year'
  return 'other'
}

/** Values of the whole city in one rhythm, the oldest first. */
export function storyOf(values: readonly Value[], rhythm: Rhythm): Value[] {
  return values
    .filter((value) => !value.area && !value.breakdown && rhythmOf(value) === rhythm)
    .sort((one, other) => one.period.end.localeCompare(other.period.end))
}

/** What is shown of a part of a scorecard. */
export interface Section {
  place: Place
  /** Places below it, each with indicators of its own. */
  below: Place[]
  lines: Line[]
}

/** The places at the top of a frame with what lies below them; a line stands once in each. */
export function sectionsOf(places: readonly Place[]): Section[] {
  return places
    .filter((place) => !place.parent)
    .map((place) => {
      const below = places.filter((other) => other.parent === place.code)
      const seen = new Set<string>()
      const lines = [place, ...below]
        .flatMap((one) => one.indicators)
        .filter((line) => !seen.has(line.code) && seen.add(line.code))
      return { place, below, lines }
    })
}

export interface Summary {
  all: number
  answered: number
  better: number
  worse: number
  targets: number
  onTrack: number
}

/** What a part of a scorecard comes to: counts alone, for no sum of different measures means anything. */
export function summaryOf(lines: readonly Line[]): Summary {
  const good = new Set(['reached', 'on-track', 'not-begun'])
  return {
    all: lines.length,
    answered: lines.filter((line) => line.value !== null).length,
    better: lines.filter((line) => line.better === true).length,
    worse: lines.filter((line) => line.better === false).length,
    targets: lines.filter((line) => line.target).length,
    onTrack: lines.filter((line) => line.target && good.has(line.target.standing)).length,
  }
}

/** Changes in the order in which somebody should read them: worse, better, others; the largest first. */
export function ordered(changes: readonly Change[]): Change[] {
  const rank = (item: Change) => (item.better === false ? 0 : item.better === true ? 1 : 2)
  const size = (item: Change) =>
    Math.abs(item.change ?? 0) / Math.max(1e-9, Math.abs(item.before.value ?? 0), Math.abs(item.now.value ?? 0))
  return [...changes].sort((one, other) => rank(one) - rank(other) || size(other) - size(one))
}
