/** Words for incidents, calls and links. */
import { city } from '$kit/city.svelte'
import { say, t, words } from '$kit/i18n.svelte'
import type { IconName } from '$kit/icons'
import type { Tone } from '$kit/states'
import { role } from '../names'
import type { Link, Matter } from './types'

export const LOOKS: Record<string, { tone: Tone; icon: IconName }> = {
  raised: { tone: 'watch', icon: 'send' },
  passed: { tone: 'watch', icon: 'send' },
  delivered: { tone: 'warning', icon: 'inbox' },
  acknowledged: { tone: 'info', icon: 'check' },
  accepted: { tone: 'info', icon: 'check' },
  'in-progress': { tone: 'info', icon: 'play' },
  resolved: { tone: 'ok', icon: 'ok' },
  done: { tone: 'ok', icon: 'ok' },
  declined: { tone: 'none', icon: 'reject' },
  'taken-back': { tone: 'none', icon: 'undo' },
  active: { tone: 'ok', icon: 'ok' },
  invited: { tone: 'watch', icon: 'clock' },
  suspended: { tone: 'warning', icon: 'pause' },
  withdrawing: { tone: 'warning', icon: 'log-out' },
  withdrawn: { tone: 'none', icon: 'log-out' },
}

/** What this reader's side can do with it now; the city says the same (`federation/model.py`). */
export function steps(matter: Matter): string[] {
  const { kind, ours, status } = matter
  if (kind === 'incident') {
    if (ours) return ['raised', 'delivered', 'acknowledged'].includes(status) ? ['take-back'] : []
    if (status === 'delivered') return ['acknowledge', 'resolve']
    return status === 'acknowledged' ? ['resolve'] : []
  }
  if (ours) return ['passed', 'delivered'].includes(status) ? ['take-back'] : []
  return status === 'delivered' ? ['accept', 'decline'] : []
}

/** What it is about, in as many words as came along. */
export function title(matter: Matter): string {
  const { body } = matter
  if (body.title) return words(body.title)
  const told = body.attrs ?? {}
  const name = told.name?.languageMap ?? (told.name?.value as string | undefined)
  const kind = say(`network.matter.of.${body.type ?? ''}`, {}, body.type ?? '')
  return [words(name) || category(String(told.category?.value ?? '')), kind].filter(Boolean).join(' · ')
}

/** A category by its name where this installation knows it; a city's own may be unknown at the upper level. */
const category = (code: string): string =>
  words(city.info?.categories.find((each) => each.code === code)?.name) || code

/** Who did a step: an office here, one of the other side, or nobody in person. */
export function who(said: string): string {
  if (said === 'system') return t('network.matter.byItself')
  const parts = said.split(':')
  const office = parts.at(-1) ?? ''
  const named = office === 'system' ? t('network.matter.byItself') : role(office) || office
  return parts.length > 1 ? `${parts[0]}: ${named}` : named
}

export const named = (link: Link): string => link.name || link.peer
