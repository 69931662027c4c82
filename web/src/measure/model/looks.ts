/** How a standing, a quality, a status, a change look: a tone, a sign of its own shape, a word. */
import type { IconName, Tone } from '$kit'
import type { Direction, Quality, Standing, Status } from '../types'

export interface Look {
  tone: Tone
  icon: IconName
}

export const STANDING_LOOKS: Record<Standing, Look> = {
  reached: { tone: 'ok', icon: 'star' },
  'on-track': { tone: 'ok', icon: 'ok' },
  'at-risk': { tone: 'watch', icon: 'watch' },
  'off-track': { tone: 'warning', icon: 'warning' },
  missed: { tone: 'critical', icon: 'critical' },
  'no-value': { tone: 'none', icon: 'minus' },
  'not-begun': { tone: 'info', icon: 'clock' },
  'no-baseline': { tone: 'none', icon: 'question' },
  'not-reported': { tone: 'none', icon: 'minus' },
}

/** The order in which somebody should look: what goes wrong comes first. */
export const STANDING_ORDER: readonly Standing[] = [
  'missed', 'off-track', 'at-risk', 'not-reported', 'no-value', 'no-baseline', 'not-begun', 'on-track', 'reached',
]

export const STANDING_COLORS: Record<Standing, string> = {
  reached: 'var(--mark-ok)',
  'on-track': 'var(--mark-ok)',
  'at-risk': 'var(--mark-watch)',
  'off-track': 'var(--mark-warning)',
  missed: 'var(--mark-critical)',
  'no-value': 'var(--border-strong)',
  'not-begun': 'var(--mark-info)',
  'no-baseline': 'var(--border-strong)',
  'not-reported': 'var(--border-strong)',
}

export const QUALITY_LOOKS: Record<Quality, Look> = {
  complete: { tone: 'ok', icon: 'check' },
  partial: { tone: 'watch', icon: 'scales' },
  missing: { tone: 'none', icon: 'minus' },
}

export const STATUS_LOOKS: Record<Status, Look> = {
  draft: { tone: 'none', icon: 'note' },
  checked: { tone: 'info', icon: 'eye' },
  approved: { tone: 'ok', icon: 'check' },
  locked: { tone: 'ok', icon: 'key' },
}

/** Better or worse by the direction of the measure; null where neither end is the good one. */
export function betterOf(direction: Direction, change: number | null): boolean | null {
  if (!change || (direction !== 'up' && direction !== 'down')) return null
  return change > 0 === (direction === 'up')
}

/** The sign of a change: where it went, and whether that is good. Shape and colour say different things. */
export function changeLook(change: number | null, better: boolean | null): Look | null {
  if (change === null) return null
  if (change === 0) return { tone: 'none', icon: 'minus' }
  const icon = change > 0 ? 'chevron-up' : 'chevron-down'
  return { tone: better === null ? 'info' : better ? 'ok' : 'warning', icon }
}
