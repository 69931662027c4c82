/** What charts count with. */
import { expect, test } from 'vitest'
import { csvOf, lineOf, linesOf, scaleOf, ticksOf } from '../../src/kit/chart/scale'

test('the steps of an axis are round and cover what is drawn', () => {
  expect(ticksOf(0, 97)).toEqual([0, 25, 50, 75, 100])
  for (const [low, high] of [[0, 1], [-3.2, 8], [0.001, 0.002], [1e6, 9e6], [5, 5], [0, 0]] as const) {
    const ticks = ticksOf(low, high)
    expect(ticks.at(0)).toBeLessThanOrEqual(low)
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(high)
    expect(ticks.length).toBeLessThan(9)
  }
})

test('what was not measured breaks the line', () => {
  expect(lineOf([{ x: 0, y: 1 }, { x: 1, y: null }, { x: 2, y: 3 }, { x: 3, y: 4 }])).toBe(
    'M0.0 1.0M2.0 3.0L3.0 4.0',
  )
})

test('a span of nothing lies in the middle', () => {
  expect(scaleOf(4, 4, 0, 100)(4)).toBe(50)
  expect(scaleOf(0, 10, 100, 0)(2.5)).toBe(75)
})

test('words are not broken inside, Thai ones neither, and what is left out is said', () => {
  const lines = linesOf('สัดส่วนเรื่องร้องเรียนที่แก้ไขทันกำหนดเวลา', 120, 13, 'th', 3)
  expect(lines.length).toBeGreaterThan(1)
  expect(linesOf('one two three four five six', 40, 13, 'en', 2).at(-1)).toMatch(/…$/)
})

test('a cell of a table can neither leave its column nor be a formula', () => {
  expect(csvOf(['a', 'b'], [['x,"y"', -2], ['=1+1', null]])).toBe('a,b\r\n"x,""y""",-2\r\n\'=1+1,')
})
