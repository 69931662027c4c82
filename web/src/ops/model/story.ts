/** An alert told step by step. */
import type { Alert } from './city'

export interface Step {
  readonly kind: 'raised' | 'escalated' | 'case' | 'acknowledged' | 'resolved'
  readonly at_ms: number | null
  readonly by: string | null
  /** False for what is still to come. */
  readonly done: boolean
}

/** Raised, worsened, case opened, acknowledged, resolved: what happened with its time, then what is next. */
export function storyOf(alert: Alert, caseOpenedAt_ms: number | null): Step[] {
  const done: Step[] = [{ kind: 'raised', at_ms: alert.issuedAt_ms, by: null, done: true }]
  if (alert.escalatedAt_ms !== null) {
    done.push({ kind: 'escalated', at_ms: alert.escalatedAt_ms, by: null, done: true })
  }
  if (alert.caseId !== null) {
    done.push({ kind: 'case', at_ms: caseOpenedAt_ms, by: null, done: true })
  }
  if (alert.acknowledgedAt_ms !== null || alert.state === 'acknowledged') {
    done.push({
      kind: 'acknowledged',
      at_ms: alert.acknowledgedAt_ms,
      by: alert.acknowledgedBy,
      done: true,
    })
  }
  if (alert.state === 'resolved') {
    done.push({ kind: 'resolved', at_ms: alert.resolvedAt_ms, by: alert.resolvedBy, done: true })
  }
  done.sort((a, b) => (a.at_ms ?? Infinity) - (b.at_ms ?? Infinity))
  const told = new Set(done.map((step) => step.kind))
  const ahead: Step['kind'][] =
    alert.state === 'resolved' ? [] : (['acknowledged', 'resolved'] as const).slice()
  const open = ahead
    .filter((kind) => !told.has(kind))
    .map((kind): Step => ({ kind, at_ms: null, by: null, done: false }))
  return [...done, ...open]
}
