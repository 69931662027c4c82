/** What the map can be coloured by: what the city offers, and what is counted on this screen. */
import { amountBands, type Band, type Measure } from './scale'

/** District measures made on this screen from live lists, in the order offered. */
export const OWN_DISTRICT_MEASURES = [
  'pm25-mean',
  'cases-open',
  'cases-overdue',
  'cases-in-time',
  'population',
] as const
export type OwnMeasure = (typeof OWN_DISTRICT_MEASURES)[number]

/** Names other parts of the city use for the same thing: offered once, under ours. */
const SAME_AS: Readonly<Record<string, OwnMeasure>> = {
  pm25: 'pm25-mean',
  'pm25-district': 'pm25-mean',
  'pm25-district-mean': 'pm25-mean',
  'pm25-mean': 'pm25-mean',
  'open-cases': 'cases-open',
  'cases-open': 'cases-open',
  'overdue-cases': 'cases-overdue',
  'cases-overdue': 'cases-overdue',
  'in-time-share': 'cases-in-time',
  'cases-in-time': 'cases-in-time',
  'cases-resolved-in-time': 'cases-in-time',
  'share-in-time': 'cases-in-time',
  population: 'population',
}

/** The measure of ours that a district measure of the city stands for, or null. */
export function ownOf(code: string): OwnMeasure | null {
  return SAME_AS[code.replaceAll('_', '-').toLowerCase()] ?? null
}

/** Bands of a district measure: the official ones of the air, or even steps over the values. */
export function bandsFor(
  code: string,
  values: Iterable<number | null>,
  measures: readonly Measure[],
): readonly Band[] {
  if (code === 'pm25-mean') {
    const official = measures.find((m) => m.code === 'pm25' && m.bands.length > 0)
    if (official) return official.bands
  }
  const offered = measures.find((m) => m.kind === 'district' && ownOf(m.code) === code)
  if (code === 'cases-in-time') return shareBands(offered?.bands ?? [])
  if (offered && offered.bands.length > 0) return offered.bands
  return amountBands(values, code !== 'pm25-mean')
}

/** Shares in the city's own steps (it may count in hundredths), or in fifths. */
function shareBands(offered: readonly Band[]): readonly Band[] {
  if (offered.length === 0) return amountBands([0, 1])
  const hundredths = offered.some((band) => (band.upTo ?? 0) > 1)
  return offered.map((band) => ({
    color: band.color,
    upTo: band.upTo === null ? null : band.upTo / (hundredths ? 100 : 1),
    label: {},
  }))
}

/** The indicator that says which share of cases was solved in time, by its code; null if none. */
export function inTimeIndicator(codes: readonly string[]): string | null {
  return (
    codes.find((code) => ownOf(code) === 'cases-in-time') ??
    codes.find((code) => /in.?time/i.test(code)) ??
    null
  )
}
