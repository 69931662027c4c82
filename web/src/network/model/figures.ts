/** Counting rows of reports for the charts: pure. */
import type { Became, Matrix, Status } from '../types'

/** Statuses in the order in which a bar is read; `none`: the report does not say it. */
export const STATUS_ORDER = [
  'completed', 'ongoing', 'ongoing_or_planning', 'planning', 'suspended', 'cancelled', 'none',
] as const

export const BECAME_ORDER: readonly Became[] = [
  'continued', 'respelled', 'renamed', 'merged', 'split', 'completed', 'cancelled', 'returned', 'new', 'vanished',
]

export const statusKey = (status: Status | undefined): string => status ?? 'none'

export interface Counted {
  id: string
  parts: Record<string, number>
  total: number
}

/** Rows, or counts of them, by a group and by status, groups in the order asked for, those without a row left out or at nought. */
export function countBy<R extends { status: Status; count?: number }>(
  rows: readonly R[],
  groupOf: (row: R) => string,
  order: readonly string[] = [],
): Counted[] {
  const found = new Map<string, Counted>(order.map((id) => [id, { id, parts: {}, total: 0 }]))
  for (const row of rows) {
    const id = groupOf(row)
    const group = found.get(id) ?? { id, parts: {}, total: 0 }
    const key = statusKey(row.status)
    group.parts[key] = (group.parts[key] ?? 0) + (row.count ?? 1)
    group.total += row.count ?? 1
    found.set(id, group)
  }
  return [...found.values()]
}

/** A table of groups by status, as the bars of a chart are drawn. */
export function groupsOf(table: Matrix): Counted[] {
  return table.rows.map(({ code: id }, row) => {
    const counts = table.counts[row] ?? []
    const found = table.columns.map((column, at) => [column.code, counts[at] ?? 0] as const)
    return {
      id,
      parts: Object.fromEntries(found.filter(([, count]) => count > 0)),
      total: counts.reduce((sum, count) => sum + count, 0),
    }
  })
}

/** The statuses that occur, in their order: a legend names only what is drawn. */
export function statusesOf(groups: readonly Counted[]): string[] {
  const seen = new Set(groups.flatMap((group) => Object.keys(group.parts)))
  const known = STATUS_ORDER.filter((key) => seen.has(key)) as string[]
  return [...known, ...[...seen].filter((key) => !known.includes(key)).sort()]
}

/**
 * What became of a member's project, by the years it stands in: its own last word, or that a later report
 * leaves it out. Null while it stands in the newest report.
 */
export function fateOf(
  years: readonly { year: number; status: Status }[],
  newest: number,
  renamed: boolean,
): Became | null {
  const last = years.at(-1)
  if (!last) return null
  if (last.status === 'completed') return 'completed'
  if (last.status === 'cancelled') return 'cancelled'
  if (last.year < newest) return 'vanished'
  if (renamed) return 'renamed'
  return years.length === 1 ? 'new' : 'continued'
}

/** Differences first, what agrees after, what cannot be told last. */
export function byAgreement<D extends { agrees: boolean | null }>(found: readonly D[]): D[] {
  const rank = (one: D) => (one.agrees === false ? 0 : one.agrees === null ? 1 : 2)
  return [...found].sort((one, other) => rank(one) - rank(other))
}
