/** The ways a department looks at its work. Pure. */
import type { CaseState, CaseSummary, Query } from '$kit'

export const VIEWS = ['todo', 'open', 'overdue', 'mine', 'done'] as const
export type View = (typeof VIEWS)[number]

const PAGE = 100

const QUERIES: Record<View, Query> = {
  todo: { state: 'routed,reopened' },
  open: { state: 'open' },
  overdue: { state: 'open', overdue: true },
  mine: { state: 'accepted,in_progress' },
  done: { state: 'resolved,closed,rejected', order: 'newest' },
}

/** What to ask the city for a view. */
export function queryOf(view: View, filters: { department: string; category: string }): Query {
  return {
    ...QUERIES[view],
    department: filters.department || null,
    category: filters.category || null,
    limit: PAGE,
  }
}

/** Whether a case belongs to a view by what only the list tells: who was sent. */
export function belongs(view: View, item: CaseSummary): boolean {
  return view !== 'mine' || item.assigned === true
}

const DONE: readonly CaseState[] = ['resolved', 'closed', 'rejected']

/** When the clock of a case stopped; null while it runs. */
export function endedAt(item: CaseSummary): string | null {
  if (!DONE.includes(item.state)) return null
  return item.resolvedAt ?? item.closedAt ?? item.dueAt
}

/** Where J or K leads from a case; the first one where none is chosen. */
export function neighbour(ids: readonly string[], from: string | null, step: 1 | -1): string | null {
  const at = from === null ? -1 : ids.indexOf(from)
  if (at < 0) return ids[0] ?? null
  return ids[Math.min(ids.length - 1, Math.max(0, at + step))] ?? null
}
