/** A station's 24 hours for the chart: gaps stay gaps, doubtful values are set apart. */

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

/** Zero to a round number above the highest of values and thresholds that are near. */
export function chartRange(
  values: Iterable<number | null>,
  thresholds: readonly number[],
): [number, number] {
  let top = 0
  for (const value of values) if (value !== null && value > top) top = value
  // The next threshold above the values is drawn too: how far it is is the question.
  const above = thresholds.filter((t) => t > top).sort((a, b) => a - b)[0]
  const high = Math.max(top, above !== undefined && above < top * 2.5 ? above : 0, 1)
  return [0, high * 1.12]
}
