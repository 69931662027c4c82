/** Words and looks of projects; the framework's own words come from the city. */
import { city, formatNumber, say, words, type IconName, type Tone } from '$kit'
import { api } from '$kit/api'
import { locale } from '$kit/format'
import { lang } from '$kit'
import type { Framework, FrameworkWord } from '../types'

export const STAGES = ['idea', 'concept', 'preparation', 'financing', 'procurement', 'delivery', 'operation', 'closed'] as const

export const STATE_LOOKS: Record<string, { tone: Tone; icon: IconName; color: string }> = {
  active: { tone: 'info', icon: 'play', color: 'var(--mark-info)' },
  suspended: { tone: 'watch', icon: 'pause', color: 'var(--mark-watch)' },
  cancelled: { tone: 'warning', icon: 'reject', color: 'var(--mark-warning)' },
  completed: { tone: 'ok', icon: 'ok', color: 'var(--mark-ok)' },
  merged: { tone: 'none', icon: 'arrow-right', color: 'var(--border-strong)' },
  split: { tone: 'none', icon: 'share', color: 'var(--border-strong)' },
}

/** Statuses of the yearly reports; `none`: no source says it. */
export const STATUS_KEYS = [
  { key: 'planning', color: 'var(--mark-watch)' },
  { key: 'ongoing', color: 'var(--mark-info)' },
  { key: 'ongoing_or_planning', color: 'var(--severity-info)' },
  { key: 'completed', color: 'var(--mark-ok)' },
  { key: 'suspended', color: 'var(--mark-warning)' },
  { key: 'cancelled', color: 'var(--mark-critical)' },
  { key: 'none', color: 'var(--border-strong)' },
] as const

let asked: Promise<Framework> | null = null

/** The framework's words, read once. */
export function loadFramework(): Promise<Framework> {
  asked ??= api.get<Framework>('/projects/framework').catch((problem: unknown) => {
    asked = null
    throw problem
  })
  return asked
}

export function wordOf(list: readonly FrameworkWord[] | undefined, code: string | null | undefined): string {
  const found = list?.find((one) => one.code === code)
  return words(found?.name ?? found?.words) || code || ''
}

export const stageName = (stage: string | null) => (stage ? say(`measure.stage.${stage}`, {}, stage) : say('measure.stage.none'))
export const statusName = (status: string | null) => say(`measure.report.${status ?? 'none'}`, {}, status ?? '')

/** Money as people say it: "1.4 billion baht", never more than three figures. */
export function moneyOf(amount: number | null | undefined, currency: string | null | undefined): string {
  if (amount === null || amount === undefined) return ''
  if (!currency) return formatNumber(amount)
  const large = Math.abs(amount) >= 1_000_000
  const number = new Intl.NumberFormat(locale(), {
    ...(large ? { notation: 'compact', compactDisplay: 'long', maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 }),
  }).format(amount)
  if (lang() === 'th') return currency === 'THB' ? `${number}${large ? '' : ' '}บาท` : `${number} ${currency}`
  return `${currency} ${number}`
}

export const ownCity = () => city.info?.code ?? ''
