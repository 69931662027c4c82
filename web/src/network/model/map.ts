/** The map of members: pure. */
import type { Member, SummaryMember } from '../types'

export type Bounds = [number, number, number, number]

/** The box around all that have a place, with room for names at the edges; all of ASEAN where none has. */
export function boundsOf(members: readonly Pick<Member, 'location'>[], margin_deg = 3.5): Bounds {
  const spots = members.flatMap((each) => (each.location ? [each.location] : []))
  if (spots.length === 0) return [92, -11, 141, 28.5]
  const [lons, lats] = [spots.map((spot) => spot[0]), spots.map((spot) => spot[1])]
  return [
    Math.min(...lons) - margin_deg,
    Math.min(...lats) - margin_deg,
    Math.max(...lons) + margin_deg,
    Math.max(...lats) + margin_deg,
  ]
}

/** Members by country, countries and cities by the name that the reader sees. */
export function byCountry<M extends Pick<SummaryMember, 'country' | 'code'>>(
  members: readonly M[],
  nameOf: (member: M) => string,
  countryOf: (code: string) => string,
  language: string,
): { country: string; members: M[] }[] {
  const order = new Intl.Collator(language).compare
  const found = new Map<string, M[]>()
  for (const member of members) found.set(member.country, [...(found.get(member.country) ?? []), member])
  return [...found.entries()]
    .map(([country, here]) => ({ country, members: here.sort((a, b) => order(nameOf(a), nameOf(b))) }))
    .sort((one, other) => order(countryOf(one.country), countryOf(other.country)))
}

/** Whether a name answers what was typed, capitals and marks apart. */
export function answers(asked: string, ...names: string[]): boolean {
  const plain = (text: string) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase()
  return names.some((name) => plain(name).includes(plain(asked.trim())))
}
