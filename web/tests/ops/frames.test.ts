import { describe, expect, it } from 'vitest'
import { carried, frameAt, framesFrom, next, stepped, valuesAt } from '../../src/ops/model/frames'

const hours = (from: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => new Date(Date.parse(from) + i * 3_600_000).toISOString())

const day = framesFrom('pm25', {
  times: hours('2025-05-21T05:00:00Z', 5),
  series: [
    { id: 'a', values: [10, 11, null, null, 14] },
    { id: 'b', values: [null, 20, 21, 22, null] },
  ],
})

describe('frames of the last day', () => {
  it('finds the last frame at or before an instant', () => {
    expect(frameAt(day, Date.parse('2025-05-21T04:59:59Z'))).toBe(-1)
    expect(frameAt(day, Date.parse('2025-05-21T05:00:00Z'))).toBe(0)
    expect(frameAt(day, Date.parse('2025-05-21T07:59:00Z'))).toBe(2)
    expect(frameAt(day, Date.parse('2025-05-22T00:00:00Z'))).toBe(4)
  })

  it('holds a value over one silent frame and no longer', () => {
    expect(valuesAt(day, 2).get('a')).toBe(11)
    expect(valuesAt(day, 3).get('a')).toBeNull()
    expect(valuesAt(day, 0).get('b')).toBeNull()
  })

  it('shows no value that nobody measured', () => {
    const measured = new Set([10, 11, 14, 20, 21, 22, null])
    for (let frame = 0; frame < 5; frame += 1) {
      for (const value of valuesAt(day, frame).values()) expect(measured).toContain(value)
    }
  })

  it('plays from the first frame through the last to now, and stops there', () => {
    let moment = next('now', 5)
    const seen = [moment]
    while (moment !== 'now') seen.push((moment = next(moment, 5)))
    expect(seen).toEqual([0, 1, 2, 3, 4, 'now'])
  })

  it('steps within the day', () => {
    expect(stepped('now', -1, 5)).toBe(4)
    expect(stepped(4, 1, 5)).toBe('now')
    expect(stepped(0, -1, 5)).toBe(0)
    expect(stepped('now', 1, 5)).toBe('now')
    expect(stepped('now', -1, 0)).toBe('now')
  })

  it('keeps the instant on screen when newer frames arrive', () => {
    const later = framesFrom('pm25', { times: hours('2025-05-21T07:00:00Z', 5), series: [] })
    expect(carried(3, day, later)).toBe(1)
    expect(carried(0, day, later)).toBe('now')
    expect(carried('now', day, later)).toBe('now')
  })

  it('survives an answer that is not frames', () => {
    expect(framesFrom('x', null).times_ms).toEqual([])
    expect(framesFrom('x', { times: ['soon'], series: [{}, null] }).series.size).toBe(0)
  })
})
