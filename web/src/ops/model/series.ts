/** A station's 24 hours for the chart: gaps stay gaps, doubtful values are set apart. */
import { instant } from './city'

export interface Sample {
  readonly at_ms: number
  readonly value: number | null
  readonly quality: readonly string[]
}

/** Columns as uPlot takes them: seconds, sound values, doubtful values. */
export interface Columns {
  readonly times_s: number[]
  readonly sound: (number | null)[]
  readonly doubtful: (number | null)[]
}

/**
 * Where two samples lie more than one and a half periods apart an empty row is put between them,
 * so that the line breaks: silence is drawn as silence.
 */
export function columns(samples: readonly Sample[], period_s: number): Columns {
  const out: Columns = { times_s: [], sound: [], doubtful: [] }
  const sorted = [...samples].sort((a, b) => a.at_ms - b.at_ms)
  let before_s: number | null = null
  for (const sample of sorted) {
    const at_s = sample.at_ms / 1000
    if (before_s === at_s) continue
    if (before_s !== null && at_s - before_s > period_s * 1.5) {
      push(out, before_s + period_s, null, null)
    }
    const flagged = sample.quality.some((flag) => flag !== 'gap')
    push(out, at_s, flagged ? null : sample.value, flagged ? sample.value : null)
    before_s = at_s
  }
  return out
}

function push(out: Columns, at_s: number, sound: number | null, doubtful: number | null): void {
  out.times_s.push(at_s)
  out.sound.push(sound)
  out.doubtful.push(doubtful)
}

/** The usual distance of samples in seconds (the median), or `fallback_s` with fewer than three. */
export function usualPeriod(samples: readonly Sample[], fallback_s = 3600): number {
  const times = samples.map((s) => s.at_ms / 1000).sort((a, b) => a - b)
  const steps = times.slice(1).map((t, i) => t - (times[i] as number))
  const sorted = steps.filter((step) => step > 0).sort((a, b) => a - b)
  if (sorted.length < 2) return fallback_s
  return sorted[sorted.length >> 1] as number
}

/**
 * Thresholds worth drawing: the highest one crossed, and the next one above unless it is far away.
 * How far it is to the next is the question; a far one would press the line flat.
 */
export function limitsNear(
  values: Iterable<number | null>,
  thresholds: readonly number[],
): number[] {
  let top = 0
  for (const value of values) if (value !== null && value > top) top = value
  const sorted = [...new Set(thresholds)].sort((a, b) => a - b)
  const crossed = sorted.findLast((t) => t <= top)
  const next = sorted.find((t) => t > top)
  return [crossed, next].filter(
    (t): t is number => t !== undefined && (t <= top || t < Math.max(top * 2.5, 1)),
  )
}

/**
 * Samples of one attribute in an NGSI-LD temporal entity (ETSI GS CIM 009 clause 4.5.6): one
 * instance or a list of them, each with its value, `observedAt` and quality flags.
 */
export function samplesFrom(entity: unknown, attribute: string): Sample[] {
  const found = (entity as Record<string, unknown> | null)?.[attribute]
  const instances = Array.isArray(found) ? found : found ? [found] : []
  return instances.flatMap((each: unknown) => {
    const o = (each ?? {}) as Record<string, unknown>
    const at_ms = instant(o['observedAt'])
    if (at_ms === null) return []
    const quality = (o['quality'] as { value?: unknown } | undefined)?.value
    return [
      {
        at_ms,
        value: typeof o['value'] === 'number' ? o['value'] : null,
        quality: Array.isArray(quality) ? quality.map(String) : [],
      },
    ]
  })
}
