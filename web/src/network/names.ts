/** Words for what the network's data carries as codes. */
import { formatTime, locale } from '$kit/format'
import { hasMessage, lang, say, t, words } from '$kit/i18n.svelte'
import type { Tone } from '$kit/states'
import type { IconName } from '$kit/icons'
import type { Words } from '$kit/i18n.svelte'
import type { Became, Status } from './types'

export const FOCUS_AREAS = ['FA1', 'FA2', 'FA3', 'FA4', 'FA5', 'FA6'] as const

/** The name that a country bears in ASEAN; what the browser calls it elsewhere. */
export function country(code: string | null | undefined): string {
  if (!code) return ''
  if (hasMessage(`network.country.${code}`)) return say(`network.country.${code}`)
  try {
    return new Intl.DisplayNames([lang()], { type: 'region' }).of(code) ?? code
  } catch {
    return code
  }
}

export function focus(code: string | null | undefined): string {
  return code ? say(`network.focus.${code}`, {}, code) : t('network.focus.none')
}

export function status(code: Status | string | undefined): string {
  return code ? say(`network.status.${code}`, {}, code) : t('network.status.none')
}

export function role(code: string | null | undefined): string {
  return code ? say(`network.role.${code}`, {}, code) : ''
}

/** An office with whom it is for: "National representative, Thailand". `of` may be `country:TH`, `TH` or a city. */
export function office(code: string | null | undefined, of: string | null | undefined): string {
  const whose = (of ?? '').replace(/^(country|city|partner):/, '')
  const foreign = /^not ([A-Z]{2})$/.exec(whose)
  const place = foreign
    ? t('network.of.foreign', { country: country(foreign[1]) })
    : whose === 'network'
      ? ''
      : /^[A-Z]{2}$/.test(whose)
        ? country(whose)
        : whose
  return [role(code), place].filter(Boolean).join(', ')
}

/** A year as a reader here writes it: of the Buddhist era in Thai. */
export function year(of: number | null | undefined): string {
  if (of === null || of === undefined) return ''
  return lang() === 'th' ? String(of + 543) : String(of)
}

/** A day without an hour; it is the same day in every zone. */
export function day(of: string | null | undefined): string {
  if (!of) return ''
  if (of.length > 10) return formatTime(of, 'date')
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(`${of}T00:00:00Z`),
  )
}

export const STATUS_COLORS: Record<string, string> = {
  completed: 'var(--mark-ok)',
  ongoing: 'var(--mark-info)',
  ongoing_or_planning: 'var(--accent)',
  planning: 'var(--mark-watch)',
  suspended: 'var(--mark-warning)',
  cancelled: 'var(--mark-critical)',
  none: 'var(--border-strong)',
}

export const BECAME_LOOKS: Record<Became, { tone: Tone; icon: IconName }> = {
  continued: { tone: 'info', icon: 'arrow-right' },
  respelled: { tone: 'info', icon: 'refresh' },
  renamed: { tone: 'info', icon: 'refresh' },
  completed: { tone: 'ok', icon: 'ok' },
  merged: { tone: 'info', icon: 'layers' },
  split: { tone: 'info', icon: 'share' },
  cancelled: { tone: 'none', icon: 'reject' },
  vanished: { tone: 'warning', icon: 'question' },
  new: { tone: 'ok', icon: 'plus' },
  returned: { tone: 'watch', icon: 'undo' },
}

export const PROJECT_STAGES = ['idea', 'concept', 'preparation', 'financing', 'procurement', 'delivery', 'operation'] as const
/** What is looked for, and what is offered. */
export const NEED_KINDS = ['solution', 'funding', 'partner', 'twin'] as const
/** What a seat says of what is to be decided. */
export const POSITIONS = ['agree', 'agree-with-comments', 'abstain', 'object'] as const

/** Data's own words, else the code made readable. */
export function nameOf(text: Words, code = ''): string {
  return words(text) || code
}

/** The countries of the region, as the network's reports order them: by English name. */
export const COUNTRIES = ['BN', 'KH', 'ID', 'LA', 'MY', 'MM', 'PH', 'SG', 'TH', 'TL', 'VN'] as const
