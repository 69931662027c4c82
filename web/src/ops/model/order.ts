/** Lists that stay still under the pointer while live data arrives. */

export interface Shown<T> {
  readonly rows: readonly T[]
  /** Ids that arrived while the list was held and wait to be shown. */
  readonly waiting: readonly string[]
}

/**
 * The rows to draw. While `held` (pointer or focus inside the list) every row that is on screen
 * keeps its place and takes its newest content, a row that left keeps its last content, and new
 * rows wait below the fold; otherwise the sorted list itself.
 */
export function settle<T extends { readonly id: string }>(
  sorted: readonly T[],
  before: readonly T[],
  held: boolean,
): Shown<T> {
  if (!held || before.length === 0) return { rows: sorted, waiting: [] }
  const newest = new Map(sorted.map((row) => [row.id, row]))
  const onScreen = new Set(before.map((row) => row.id))
  return {
    rows: before.map((row) => newest.get(row.id) ?? row),
    waiting: sorted.filter((row) => !onScreen.has(row.id)).map((row) => row.id),
  }
}

/** The id after (or before) `current`, stopping at the ends; the first when none is selected. */
export function neighbour(
  ids: readonly string[],
  current: string | null,
  step: 1 | -1,
): string | null {
  if (ids.length === 0) return null
  const at = current === null ? -1 : ids.indexOf(current)
  if (at < 0) return (step === 1 ? ids[0] : ids[ids.length - 1]) ?? null
  return ids[Math.min(Math.max(at + step, 0), ids.length - 1)] ?? null
}
