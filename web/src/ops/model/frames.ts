/** The last 24 hours as frames: which one is on screen, and what it says. */
import { instant } from './city'

export interface Frames {
  readonly measure: string
  /** Milliseconds since 1970, rising. */
  readonly times_ms: readonly number[]
  readonly series: ReadonlyMap<string, readonly (number | null)[]>
}

/** Frames from `GET /measures/{code}/frames`; times that do not parse are left out. */
export function framesFrom(measure: string, x: unknown): Frames {
  const body = (x ?? {}) as { times?: unknown; series?: unknown }
  const raw = Array.isArray(body.times) ? body.times : []
  const kept = raw.map((t, i) => [instant(t), i] as const).filter(([ms]) => ms !== null)
  const series = new Map<string, (number | null)[]>()
  for (const entry of Array.isArray(body.series) ? body.series : []) {
    const { id, values } = (entry ?? {}) as { id?: unknown; values?: unknown }
    if (typeof id !== 'string' || !Array.isArray(values)) continue
    series.set(
      id,
      kept.map(([, i]) => (typeof values[i] === 'number' ? (values[i] as number) : null)),
    )
  }
  return { measure, times_ms: kept.map(([ms]) => ms as number), series }
}

/** The last frame at or before `at_ms`; -1 before the first. Binary search. */
export function frameAt(frames: Frames, at_ms: number): number {
  let low = 0
  let high = frames.times_ms.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((frames.times_ms[middle] as number) <= at_ms) low = middle + 1
    else high = middle
  }
  return low - 1
}

/**
 * What each series says at a frame. A value is held over at most `hold` frames without one, never
 * drawn between two values: a reading that nobody made is not shown.
 */
export function valuesAt(frames: Frames, frame: number, hold = 1): Map<string, number | null> {
  const found = new Map<string, number | null>()
  for (const [id, values] of frames.series) {
    let value: number | null = null
    for (let back = 0; back <= hold && frame - back >= 0; back += 1) {
      value = values[frame - back] ?? null
      if (value !== null) break
    }
    found.set(id, value)
  }
  return found
}

/** "now" follows the live city; a number is a frame of the past that stays where it was put. */
export type Moment = 'now' | number

/** The next moment of a play: after the last frame comes "now", where it stops. */
export function next(moment: Moment, count: number): Moment {
  if (moment === 'now') return count > 0 ? 0 : 'now'
  return moment + 1 >= count ? 'now' : moment + 1
}

/** One step back or forth; a step forth from the last frame is "now", back from "now" the last. */
export function stepped(moment: Moment, step: 1 | -1, count: number): Moment {
  if (count === 0) return 'now'
  if (moment === 'now') return step === -1 ? count - 1 : 'now'
  const to = moment + step
  return to >= count ? 'now' : Math.max(to, 0)
}

/**
 * The same instant after newer frames were loaded, so that the picture does not move by itself;
 * "now" when that instant has left the window.
 */
export function carried(moment: Moment, before: Frames, after: Frames): Moment {
  if (moment === 'now') return 'now'
  const at = before.times_ms[moment]
  if (at === undefined) return 'now'
  const frame = frameAt(after, at)
  return frame < 0 ? 'now' : frame
}
