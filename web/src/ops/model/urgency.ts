/** What comes first: alerts by severity, cases by how late they are. */
import type { Alert, CaseItem } from './city'

/** From worst to mildest; a severity this list does not know counts as the mildest. */
export const SEVERITIES = ['critical', 'warning', 'watch'] as const
export type Severity = (typeof SEVERITIES)[number]

/** 3 for critical, 2 for warning, 1 for watch and for what is not known. */
export function severityRank(severity: string): number {
  const at = (SEVERITIES as readonly string[]).indexOf(severity)
  return at < 0 ? 1 : SEVERITIES.length - at
}

export function severityOfRank(rank: number): Severity {
  return SEVERITIES[SEVERITIES.length - Math.min(Math.max(Math.round(rank), 1), 3)] ?? 'watch'
}

const FINISHED = new Set(['resolved', 'closed', 'rejected'])

export function isFinished(item: Pick<CaseItem, 'state'>): boolean {
  return FINISHED.has(item.state)
}

export function isOverdue(item: Pick<CaseItem, 'state' | 'dueAt_ms'>, now_ms: number): boolean {
  return !isFinished(item) && item.dueAt_ms !== null && item.dueAt_ms < now_ms
}

/** A quarter of a working day: what an officer can still save by a call. */
export const DUE_SOON_MS = 2 * 3_600_000

export type Lateness = 'overdue' | 'soon' | 'in-time' | 'finished'

export function lateness(item: CaseItem, now_ms: number): Lateness {
  if (isFinished(item)) return 'finished'
  if (item.dueAt_ms === null) return 'in-time'
  if (item.dueAt_ms < now_ms) return 'overdue'
  return item.dueAt_ms - now_ms <= DUE_SOON_MS ? 'soon' : 'in-time'
}

/** How grave a case is on the map: its alert's severity where it has one, else its lateness. */
export function caseRank(item: CaseItem, now_ms: number, alert?: Alert | null): number {
  if (isFinished(item)) return 0
  const late = { overdue: 3, soon: 2, 'in-time': 1, finished: 0 }[lateness(item, now_ms)]
  return alert && alert.state !== 'resolved' ? Math.max(late, severityRank(alert.severity)) : late
}

const STATE_ORDER = { open: 0, acknowledged: 1, resolved: 2 } as const

/** Unattended before attended, worst first, then the newest; ties by id so that order is total. */
export function compareAlerts(a: Alert, b: Alert): number {
  return (
    STATE_ORDER[a.state] - STATE_ORDER[b.state] ||
    severityRank(b.severity) - severityRank(a.severity) ||
    (b.issuedAt_ms ?? 0) - (a.issuedAt_ms ?? 0) ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  )
}

/** Unfinished before finished, the earliest due first, the newest finished first. */
export function compareCases(a: CaseItem, b: CaseItem): number {
  const finished = Number(isFinished(a)) - Number(isFinished(b))
  if (finished !== 0) return finished
  const byTime = isFinished(a)
    ? (b.resolvedAt_ms ?? b.createdAt_ms ?? 0) - (a.resolvedAt_ms ?? a.createdAt_ms ?? 0)
    : (a.dueAt_ms ?? Infinity) - (b.dueAt_ms ?? Infinity)
  return (Number.isNaN(byTime) ? 0 : byTime) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/** Alerts not yet resolved, counted by severity. */
export function countBySeverity(alerts: Iterable<Alert>): Record<Severity, number> {
  const counts: Record<Severity, number> = { critical: 0, warning: 0, watch: 0 }
  for (const alert of alerts) {
    if (alert.state !== 'resolved') counts[severityOfRank(severityRank(alert.severity))] += 1
  }
  return counts
}
