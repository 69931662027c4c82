/** An alert told step by step: what happened, then what is still to come. */
import type { Alert, AlertStep } from './city'

export interface Told {
  readonly kind: string
  readonly at_ms: number | null
  readonly by: string | null
  readonly severity: string
  readonly value: number | null
  readonly note: string | null
  /** False for what is still to come. */
  readonly done: boolean
}

const told = (kind: string, at_ms: number | null, by: string | null, alert: Alert): Told => ({
  kind,
  at_ms,
  by,
  severity: alert.severity,
  value: null,
  note: null,
  done: true,
})

/** The steps that an alert's own attributes tell, while the kept ones are not there yet. */
function stepsOf(alert: Alert): Told[] {
  const steps = [told('raised', alert.issuedAt_ms, null, alert)]
  if (alert.escalatedAt_ms !== null) {
    steps.push(told('escalated', alert.escalatedAt_ms, null, alert))
  }
  if (alert.acknowledgedAt_ms !== null) {
    steps.push(told('acknowledged', alert.acknowledgedAt_ms, alert.acknowledgedBy, alert))
  }
  if (alert.state === 'resolved') {
    steps.push(told('resolved', alert.resolvedAt_ms, alert.resolvedBy, alert))
  }
  return steps
}

/**
 * The story in the order of time. `kept` are the steps the city keeps; the opening of the case
 * (`caseOpenedAt_ms`) is told among them; what an officer may still do comes last.
 */
export function storyOf(
  alert: Alert,
  kept: readonly AlertStep[],
  caseOpenedAt_ms: number | null,
): Told[] {
  const done = kept.length > 0 ? kept.map((step) => ({ ...step, done: true })) : stepsOf(alert)
  if (alert.caseId !== null) done.push(told('case', caseOpenedAt_ms, null, alert))
  // A case without a known hour is told right after the raising that made it.
  const hour = (step: Told) => step.at_ms ?? alert.issuedAt_ms ?? 0
  done.sort((a, b) => hour(a) - hour(b))
  if (alert.state === 'resolved') return done
  const ahead = alert.state === 'open' ? ['acknowledged', 'resolved'] : ['resolved']
  return [...done, ...ahead.map((kind) => ({ ...told(kind, null, null, alert), done: false }))]
}
