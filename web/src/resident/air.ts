/** What the air is like, in the official words of a scale. Pure. */
import type { ScaleBreak, Station } from '$kit'

/** The step of a scale that a value falls in; the last one where it is beyond all bounds. */
export function levelOf(value: number, breaks: readonly ScaleBreak[]): ScaleBreak | undefined {
  return breaks.find((each) => each.upTo !== null && value <= each.upTo) ?? breaks[breaks.length - 1]
}

/** The middle value, which one broken sensor cannot move; null where there is none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = [...values].sort((one, other) => one - other)
  const half = sorted.length >> 1
  const upper = sorted[half]!
  return sorted.length % 2 ? upper : (sorted[half - 1]! + upper) / 2
}

/** Flags that make a value doubtful; `gap` speaks of the silence before it. */
const SUSPECT = new Set(['range', 'stuck', 'jump', 'clock'])

/** Stations whose value may be shown as the state of the air now. */
export function trusted(stations: readonly Station[], measure: string): Station[] {
  return stations.filter((station) => {
    const measured = station.measures[measure]
    if (!measured || measured.value === null || measured.stale) return false
    return !measured.quality.some((flag) => SUSPECT.has(flag))
  })
}

export interface AirState {
  /** The middle of the stations, or the one nearest station. */
  value: number
  low: number
  high: number
  stations: Station[]
  asOf: string
}

/** The air over the stations given; null where none has a value one can trust. */
export function airState(stations: readonly Station[], measure: string): AirState | null {
  const good = trusted(stations, measure)
  const values = good.map((station) => station.measures[measure]!.value!)
  const value = median(values)
  if (value === null) return null
  const times = good.map((station) => station.measures[measure]!.observedAt).sort()
  return {
    value,
    low: Math.min(...values),
    high: Math.max(...values),
    stations: good,
    asOf: times[times.length - 1]!,
  }
}

/** Where a value lies on a scale whose steps are drawn equally wide, between 0 and 1. */
export function positionOn(value: number, breaks: readonly ScaleBreak[]): number {
  let low = 0
  for (const [index, step] of breaks.entries()) {
    const high = step.upTo ?? low * 2
    if (value <= high || index === breaks.length - 1) {
      const within = high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5
      return (index + within) / breaks.length
    }
    low = high
  }
  return 0
}
