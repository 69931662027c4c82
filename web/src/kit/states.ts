/** How states look: a tone, a sign and a word, everywhere the same. */
import type { AlertState, CaseState, Provenance, Severity } from './api-types'
import type { IconName } from './icons'

export type Tone = 'none' | 'ok' | 'info' | 'watch' | 'warning' | 'critical'

/** From the mildest to the gravest. */
export const SEVERITIES: readonly Severity[] = ['watch', 'warning', 'critical']

/** 0 for the mildest; -1 for a severity we do not know. */
export function rankOf(severity: string): number {
  return SEVERITIES.indexOf(severity as Severity)
}

export const SEVERITY_SIGNS: Record<Severity, IconName> = {
  watch: 'watch',
  warning: 'warning',
  critical: 'critical',
}

export const CASE_LOOKS: Record<CaseState, { tone: Tone; icon: IconName }> = {
  new: { tone: 'info', icon: 'inbox' },
  routed: { tone: 'info', icon: 'arrow-right' },
  accepted: { tone: 'info', icon: 'check' },
  in_progress: { tone: 'watch', icon: 'play' },
  resolved: { tone: 'ok', icon: 'ok' },
  closed: { tone: 'ok', icon: 'ok' },
  rejected: { tone: 'none', icon: 'reject' },
  reopened: { tone: 'warning', icon: 'reopen' },
}

export const ALERT_LOOKS: Record<AlertState, { tone: Tone; icon: IconName }> = {
  open: { tone: 'warning', icon: 'bell' },
  acknowledged: { tone: 'info', icon: 'eye' },
  resolved: { tone: 'ok', icon: 'ok' },
}

export const PROVENANCE_SIGNS: Record<Provenance, IconName> = {
  measured: 'tower',
  replayed: 'replay',
  simulated: 'cpu',
}

/** States in which somebody still has something to do. */
export const OPEN_CASE_STATES: readonly CaseState[] = [
  'new',
  'routed',
  'accepted',
  'in_progress',
  'reopened',
]
