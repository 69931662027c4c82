/** Names of what indicators refer to by code. */
import { city, say, words, type Districts } from '$kit'
import { loadDistricts } from '$kit/ground'
import { locale } from '$kit/format'

let districts: Districts | null = null

/** Read the districts once, for their names. */
export async function learnDistricts(): Promise<void> {
  districts = await loadDistricts()
}

export function districtName(code: string | null | undefined): string {
  const found = districts?.features.find((each) => each.properties.code === code)
  return found ? words(found.properties.name) : (code ?? '')
}

export function listDistricts(): { code: string; name: string }[] {
  return (districts?.features ?? [])
    .map(({ properties }) => ({ code: properties.code, name: words(properties.name) }))
    .sort((one, other) => one.name.localeCompare(other.name, locale()))
}

export function departmentName(code: string | null | undefined): string {
  return words(city.info?.departments?.find((each) => each.code === code)?.name) || code || ''
}

/** `sex=female` as people say it; a code that nobody translated as it stands. */
export function breakdownName(breakdown: string): string {
  const [name = '', value = ''] = breakdown.split('=')
  if (!value) return breakdown
  return `${say(`measure.dimension.${name}`, {}, name)}: ${say(`measure.value.${value}`, {}, value)}`
}

const UTC = 'UTC'

/** A period as a reader here writes it: "May 2025", "พ.ค. 2568", "2025". A day is a day of the calendar. */
export function periodName(label: string | null | undefined): string {
  if (!label) return ''
  const named = (at: string, look: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale(), { ...look, timeZone: UTC }).format(new Date(`${at}T00:00:00Z`))
  const yearOnly = (year: string) => named(`${year}-06-15`, { year: 'numeric' }).replace(/^[^\d]*/, '')
  if (/^\d{4}$/.test(label)) return yearOnly(label)
  const quarter = /^(\d{4})-Q([1-4])$/.exec(label)
  if (quarter) return say('measure.period.quarter', { quarter: Number(quarter[2]), year: yearOnly(quarter[1] ?? '') })
  if (/^\d{4}-\d{2}$/.test(label)) return named(`${label}-15`, { month: 'short', year: 'numeric' })
  const [start = '', end = ''] = label.split('/')
  return end ? `${dayName(start)} – ${dayName(end)}` : label
}

/** A calendar day, whatever the time zone of the reader. */
export function dayName(day: string | null | undefined): string {
  if (!day) return ''
  const at = new Date(`${day.slice(0, 10)}T00:00:00Z`)
  if (Number.isNaN(at.getTime())) return day
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'short', year: 'numeric', timeZone: UTC }).format(at)
}

/** A year by the reader's calendar. */
export function yearName(year: number | null | undefined): string {
  return year === null || year === undefined ? '' : periodName(String(year).padStart(4, '0'))
}

/** A unit in words where the sign alone is no word: "h" is "hours". */
export function unitName(unit: string): string {
  return say(`measure.unit.${unit.replace(/[^A-Za-z0-9]/g, '_')}`, {}, unit)
}

export function setName(code: string): string {
  return say(`measure.set.${code}`, {}, code)
}

/** A quality rule in words: `range(0, 100)` is "from 0 to 100". */
export function ruleName(rule: string): string {
  const [, kind = rule, said = ''] = /^(\w+)(?:\((.*)\))?$/.exec(rule) ?? []
  const [low = '', high = ''] = said.split(',').map((one) => one.trim())
  if (kind === 'range') return high ? say('measure.rule.between', { low: low || '−∞', high }) : say('measure.rule.least', { low })
  if (kind === 'ordered') return say('measure.rule.ordered', { order: said.replace(/[,<=]+/g, ' ≤ ') })
  if (kind === 'at_most') return say('measure.rule.atMost', { code: said })
  return say(`measure.rule.${kind}`, {}, rule)
}
