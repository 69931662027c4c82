/** Colours of measures: official bands as they are, amounts in cividis steps. */
import type { Words } from './city'

export interface Band {
  /** The band holds values up to and including this; null is "and above". */
  readonly upTo: number | null
  readonly color: string
  readonly label: Words
}

export interface Measure {
  readonly code: string
  readonly name: Words
  readonly unit: string
  readonly kind: 'station' | 'district'
  readonly scale: 'aqi-th' | 'sequential'
  readonly bands: readonly Band[]
}

/** Cividis (Nuñez, Anderton, Renslow 2018) at five even steps: safe for the colour-blind. */
export const CIVIDIS = ['#00204d', '#39486b', '#727274', '#b0a16d', '#fee838'] as const

/** Grey that no band uses: there is no value. */
export const NO_VALUE = '#7b8494'

function wordsOf(x: unknown): Words {
  return typeof x === 'object' && x !== null ? (x as Words) : {}
}

/** Measures from `GET /measures`; one without a code is left out. */
export function measuresFrom(x: unknown): Measure[] {
  const list = Array.isArray(x) ? x : ((x as { items?: unknown[] } | null)?.items ?? [])
  const found: Measure[] = []
  for (const entry of list) {
    const o = (entry ?? {}) as Record<string, unknown>
    if (typeof o['code'] !== 'string') continue
    const breaks = Array.isArray(o['breaks']) ? (o['breaks'] as Record<string, unknown>[]) : []
    found.push({
      code: o['code'],
      name: wordsOf(o['name']),
      unit: typeof o['unit'] === 'string' ? o['unit'] : '',
      kind: o['kind'] === 'district' ? 'district' : 'station',
      scale: o['scale'] === 'aqi-th' ? 'aqi-th' : 'sequential',
      bands: breaks.map((b) => ({
        upTo: typeof b['upTo'] === 'number' ? b['upTo'] : null,
        color: typeof b['color'] === 'string' ? b['color'] : NO_VALUE,
        label: wordsOf(b['label']),
      })),
    })
  }
  return found
}

/** The place of the band that holds the value, or -1 when there is no value. */
export function bandOf(bands: readonly Band[], value: number | null | undefined): number {
  if (value === null || value === undefined || Number.isNaN(value)) return -1
  const at = bands.findIndex((band) => band.upTo === null || value <= band.upTo)
  return at < 0 ? bands.length - 1 : at
}

export function colorOf(bands: readonly Band[], value: number | null | undefined): string {
  return bands[bandOf(bands, value)]?.color ?? NO_VALUE
}

/**
 * Five even bands of amounts from zero (or from the smallest, if that is far from zero) with
 * round borders, so that the legend can be read aloud. Whole numbers stay whole.
 */
export function amountBands(values: Iterable<number | null>, whole = false): Band[] {
  const found = [...values].filter((v): v is number => v !== null && Number.isFinite(v))
  const top = Math.max(...found, 0)
  const low = Math.min(...found, top)
  const from = low > top / 2 ? low : 0
  let step = roundUpStep((top - from) / CIVIDIS.length)
  if (whole) step = Math.max(1, Math.ceil(step))
  const start = Math.floor(from / step) * step
  return CIVIDIS.map((color, i) => ({
    upTo: i === CIVIDIS.length - 1 ? null : tidy(start + step * (i + 1)),
    color,
    label: {},
  }))
}

/** The next number people read with ease: 1, 2, 2.5 or 5 times a power of ten. */
function roundUpStep(x: number): number {
  if (!(x > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(x))
  const lead = x / power
  return ([1, 2, 2.5, 5, 10].find((nice) => lead <= nice + 1e-9) ?? 10) * power
}

/** Takes the dust of binary fractions off: 0.30000000000000004 is 0.3. */
function tidy(x: number): number {
  return Number(x.toPrecision(12))
}

/** The lower border of a band (exclusive), null for the first. */
export function lowerBorder(bands: readonly Band[], at: number): number | null {
  return at <= 0 ? null : (bands[at - 1]?.upTo ?? null)
}

/** Black or white, whichever is read better on the colour (WCAG relative luminance). */
export function inkOn(color: string): '#000000' | '#ffffff' {
  const hex = /^#?([0-9a-f]{6})$/i.exec(color)?.[1]
  if (hex === undefined) return '#000000'
  const part = (at: number): number => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  const luminance = 0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
  return luminance > 0.179 ? '#000000' : '#ffffff'
}
