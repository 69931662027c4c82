/** Numbers, times and spans as a reader here writes them: city time zone, Buddhist years in Thai. */
import { lang, say, t } from './i18n.svelte'
import { city } from './city.svelte'

/** A moment as the server sends it (ISO 8601 in UTC), a Date, or milliseconds. */
export type Moment = string | number | Date

export type TimeStyle = 'time' | 'date' | 'day' | 'moment' | 'full'

const STYLES: Record<TimeStyle, Intl.DateTimeFormatOptions> = {
  time: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  date: { day: 'numeric', month: 'short', year: 'numeric' },
  day: { weekday: 'short', day: 'numeric', month: 'short' },
  moment: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  full: {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  },
}

/** The BCP 47 tag that dates and numbers are written by. */
export function locale(code: string = lang()): string {
  if (code === 'th') return 'th-TH-u-ca-buddhist-nu-latn'
  if (code === 'en') return 'en-GB'
  return `${code}-u-nu-latn`
}

const dateFormats = new Map<string, Intl.DateTimeFormat>()

function dateFormat(style: TimeStyle): Intl.DateTimeFormat {
  const zone = city.timeZone
  const key = `${lang()} ${style} ${zone}`
  let made = dateFormats.get(key)
  if (!made) {
    made = new Intl.DateTimeFormat(locale(), { ...STYLES[style], timeZone: zone })
    dateFormats.set(key, made)
  }
  return made
}

/** A moment in the city's time zone; an empty text where there is none. */
export function formatTime(at: Moment | null | undefined, style: TimeStyle = 'moment'): string {
  if (at === null || at === undefined) return ''
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? '' : dateFormat(style).format(date)
}

/** Whether two moments fall on one day in the city. */
export function sameDay(one: Moment, other: Moment): boolean {
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: city.timeZone })
  return day.format(new Date(one)) === day.format(new Date(other))
}

/** A moment as briefly as it is clear: the hour today, else the day too. */
export function formatBrief(at: Moment | null | undefined): string {
  if (at === null || at === undefined) return ''
  return formatTime(at, city.clock && sameDay(at, city.now) ? 'time' : 'moment')
}

/** A number with a fixed count of decimals, or as many as it has up to two. */
export function formatNumber(value: number | null | undefined, decimals?: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  return new Intl.NumberFormat(locale(), {
    minimumFractionDigits: decimals ?? 0,
    maximumFractionDigits: decimals ?? 2,
  }).format(value)
}

/** The sign of a unit as the reader's language writes it: "มม." for "mm". */
export function formatUnit(sign: string | null | undefined): string {
  return sign ? say(`kit.unit.${sign}`, {}, sign) : ''
}

/** A share between 0 and 1 as a percentage. */
export function formatShare(share: number | null | undefined, decimals = 0): string {
  if (share === null || share === undefined) return '–'
  return new Intl.NumberFormat(locale(), {
    style: 'percent',
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(share)
}

/** A span of seconds in its largest whole unit: "3 hours", "2 days". Sign is dropped. */
export function formatSpan(seconds: number): string {
  const span = Math.abs(seconds)
  if (span < 90) return t('kit.span.seconds', { count: Math.round(span) })
  if (span < 90 * 60) return t('kit.span.minutes', { count: Math.round(span / 60) })
  if (span < 36 * 3600) return t('kit.span.hours', { count: Math.round(span / 3600) })
  return t('kit.span.days', { count: Math.round(span / 86400) })
}

/** Seconds from the city's now to a moment; negative when it has passed. */
export function secondsUntil(at: Moment): number {
  return (new Date(at).getTime() - city.now.getTime()) / 1000
}
