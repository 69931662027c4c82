import { describe, expect, it } from 'vitest'
import {
  amountBands,
  bandOf,
  CIVIDIS,
  colorOf,
  inkOn,
  measuresFrom,
  NO_VALUE,
} from '../../src/ops/model/scale'

const bands = [
  { upTo: 15, color: '#3bccff', label: {} },
  { upTo: 25, color: '#92d050', label: {} },
  { upTo: null, color: '#ff3b3b', label: {} },
]

describe('bands of a measure', () => {
  it('puts a border value into the lower band, as the official table does', () => {
    expect(bandOf(bands, 15)).toBe(0)
    expect(bandOf(bands, 15.1)).toBe(1)
    expect(bandOf(bands, 900)).toBe(2)
  })

  it('has no colour of its own for what is missing', () => {
    expect(bandOf(bands, null)).toBe(-1)
    expect(colorOf(bands, undefined)).toBe(NO_VALUE)
    expect(colorOf(bands, Number.NaN)).toBe(NO_VALUE)
  })

  it('makes round borders for amounts, from zero up, and covers the largest', () => {
    const amounts = amountBands([3, 0, 41, null, 17], true)
    expect(amounts.map((b) => b.upTo)).toEqual([10, 20, 30, 40, null])
    expect(amounts.map((b) => b.color)).toEqual([...CIVIDIS])
    expect(bandOf(amounts, 41)).toBe(4)
  })

  it('keeps counts whole however few there are', () => {
    for (const band of amountBands([0, 1, 2], true)) {
      if (band.upTo !== null) expect(Number.isInteger(band.upTo)).toBe(true)
    }
  })

  it('does not break on nothing', () => {
    expect(amountBands([]).length).toBe(CIVIDIS.length)
    expect(amountBands([null]).length).toBe(CIVIDIS.length)
  })

  it('rises without end: each border is above the one before', () => {
    for (const top of [0.3, 7, 99, 1234, 9_999_999]) {
      const borders = amountBands([0, top]).flatMap((b) => (b.upTo === null ? [] : [b.upTo]))
      expect([...borders].sort((a, b) => a - b)).toEqual(borders)
      expect(new Set(borders).size).toBe(borders.length)
    }
  })

  it('writes in the ink that is read', () => {
    expect(inkOn('#ffff00')).toBe('#000000')
    expect(inkOn('#00204d')).toBe('#ffffff')
  })

  it('reads measures sent bare or in a page', () => {
    const one = { code: 'pm25', name: { en: 'PM2.5' }, unit: 'µg/m³', kind: 'station' }
    expect(measuresFrom([one])[0]?.code).toBe('pm25')
    expect(measuresFrom({ items: [one, { name: {} }] }).length).toBe(1)
  })
})
