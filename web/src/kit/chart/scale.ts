/** What charts count with: scales, steps of an axis, lines of words, tables as CSV. Pure. */

export interface Scale {
  (value: number): number
  low: number
  high: number
}

/** A straight scale from values to pixels; a span of nothing lies in the middle. */
export function scaleOf(low: number, high: number, from: number, to: number): Scale {
  const span = high - low
  const scale = (value: number) =>
    span === 0 ? (from + to) / 2 : from + ((value - low) / span) * (to - from)
  return Object.assign(scale, { low, high })
}

/** Round numbers that an axis is read by: about `count` of them, covering low and high. */
export function ticksOf(low: number, high: number, count = 4): number[] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
  if (low === high) [low, high] = low === 0 ? [0, 1] : low > 0 ? [0, high] : [low, 0]
  const rough = (high - low) / Math.max(1, count)
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 2.5, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10) * power
  const first = Math.floor(low / step + 1e-9)
  const last = Math.ceil(high / step - 1e-9)
  return Array.from({ length: last - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)))
}

export interface Spot {
  x: number
  /** null: nothing was measured, and the line is broken there. */
  y: number | null
}

/** A line through spots as SVG writes it: a gap stays a gap. */
export function lineOf(spots: readonly Spot[]): string {
  let path = ''
  let open = false
  for (const { x, y } of spots) {
    if (y === null) open = false
    else {
      path += `${open ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`
      open = true
    }
  }
  return path
}

const WIDE = /[\u1000-\u109f\u1780-\u17ff\u2e80-\uffff]/
/** Thai vowels and tones above and below take no room of their own. */
const ABOVE = /[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]/

/** About how many pixels a text takes; SVG has no words to measure before it is drawn. */
export function widthOf(text: string, size: number): number {
  let ems = 0
  for (const sign of text) {
    if (ABOVE.test(sign)) continue
    ems += WIDE.test(sign) ? 0.9 : /[ilI.,:;'|! ]/.test(sign) ? 0.3 : /[A-Zmw%@]/.test(sign) ? 0.72 : 0.56
  }
  return ems * size
}

/** A text in lines no wider than `room` pixels, broken between words; at most `most` lines. */
export function linesOf(text: string, room: number, size: number, language: string, most = 2): string[] {
  const words = [...new Intl.Segmenter(language, { granularity: 'word' }).segment(text)]
  const lines: string[] = ['']
  for (const { segment } of words) {
    const now = lines.at(-1) ?? ''
    if (now && widthOf(now + segment.trimEnd(), size) > room) lines.push(segment.trimStart())
    else lines[lines.length - 1] = now + segment
  }
  if (lines.length <= most) return lines.map((line) => line.trim())
  const kept = lines.slice(0, most).map((line) => line.trim())
  return [...kept.slice(0, -1), `${kept.at(-1) ?? ''}…`]
}

export type Cell = string | number | null | undefined

/** A table as CSV (RFC 4180). A cell that a spreadsheet would take for a formula is made a text. */
export function csvOf(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cell = (one: Cell): string => {
    if (one === null || one === undefined) return ''
    if (typeof one === 'number') return String(one)
    const safe = /^[=+\-@\t\r]/.test(one) ? `'${one}` : one
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  }
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')
}
