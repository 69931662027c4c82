/** The counters of ingest: everything received is somewhere. */

export interface Counters {
  readonly received: number
  readonly stored: number
  readonly duplicate: number
  readonly parked: number
  readonly refused: number
  readonly inFlight: number
}

export const PARTS = ['stored', 'duplicate', 'parked', 'refused', 'inFlight'] as const
export type Part = (typeof PARTS)[number]

export interface Balance {
  readonly counters: Counters
  readonly sum: number
  /** Received minus the sum of its parts: above zero something is missing. */
  readonly difference: number
  readonly balanced: boolean
  /** Share of each part of the larger of received and sum, 0 to 1. */
  readonly shares: Readonly<Record<Part, number>>
}

/** Counters as `GET /counters` sends them; a missing number is 0. */
export function countersFrom(x: unknown): Counters {
  const o = (x ?? {}) as Record<string, unknown>
  const totals = (typeof o['total'] === 'object' && o['total'] !== null ? o['total'] : o) as Record<
    string,
    unknown
  >
  const count = (name: string): number => {
    const value = totals[name]
    return typeof value === 'number' && Number.isFinite(value) ? value : 0
  }
  return {
    received: count('received'),
    stored: count('stored'),
    duplicate: count('duplicate'),
    parked: count('parked'),
    refused: count('refused'),
    inFlight: count('inFlight'),
  }
}

export function balanceOf(counters: Counters): Balance {
  const sum = PARTS.reduce((total, part) => total + counters[part], 0)
  const whole = Math.max(sum, counters.received, 1)
  const shares = Object.fromEntries(PARTS.map((part) => [part, counters[part] / whole]))
  return {
    counters,
    sum,
    difference: counters.received - sum,
    balanced: counters.received === sum,
    shares: shares as Record<Part, number>,
  }
}
