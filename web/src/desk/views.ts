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

/** Each case once: a page read later may repeat what has moved since. The first one is newer. */
export function once<T extends { id: string }>(items: readonly T[]): T[] {
  const seen = new Set<string>()
  return items.filter(({ id }) => !seen.has(id) && seen.add(id))
}

/** A list as it is shown, and how many wait to be shown. */
export interface Shown<T> {
  rows: T[]
  waiting: number
}

/**
 * The rows of a list that somebody is pointing at: each stays where it is, with its newest values;
 * what has come meanwhile waits, what has gone stays as it was last seen.
 */
export function heldStill<T extends { id: string }>(shown: readonly T[], newest: readonly T[]): Shown<T> {
  const latest = new Map(newest.map((item) => [item.id, item]))
  const known = new Set(shown.map((item) => item.id))
  return {
    rows: shown.map((item) => latest.get(item.id) ?? item),
    waiting: newest.filter((item) => !known.has(item.id)).length,
  }
}

/** Where J or K leads from a case; the first one where none is chosen. */
export function neighbour(ids: readonly string[], from: string | null, step: 1 | -1): string | null {
  const at = from === null ? -1 : ids.indexOf(from)
  if (at < 0) return ids[0] ?? null
  return ids[Math.min(ids.length - 1, Math.max(0, at + step))] ?? null
}
