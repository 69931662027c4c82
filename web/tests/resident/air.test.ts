/** The air in official words: never from a doubtful value, never moved by one broken sensor. */
import { expect, test } from 'vitest'
import type { ScaleBreak, Station } from '../../src/kit/api-types'
import { airState, levelOf, median, positionOn, trusted } from '../../src/resident/air'

const BREAKS: ScaleBreak[] = [15, 25, 37.5, 75, null].map((upTo, index) => ({
  upTo,
  color: `#00000${index}`,
  label: `step ${index}`,
}))

function station(value: number | null, more: Partial<Station['measures'][string]> = {}): Station {
  return {
    id: `s${value}`,
    type: 'AirQualityObserved',
    code: 's',
    name: 's',
    district: null,
    location: [100.5, 13.7],
    measures: {
      pm25: {
        value,
        observedAt: '2025-05-22T05:00:00Z',
        provenance: 'replayed',
        quality: [],
        stale: false,
        ...more,
      },
    },
  }
}

test.each([
  [15, 'step 0'],
  [15.1, 'step 1'],
  [37.5, 'step 2'],
  [75, 'step 3'],
  [400, 'step 4'],
])('%d is in %s', (value, label) => {
  expect(levelOf(value, BREAKS)?.label).toBe(label)
})

test('one broken sensor does not move the middle of the city', () => {
  expect(median([20, 21, 22, 23, 9999])).toBe(22)
  expect(median([])).toBeNull()
})

test('stale, missing and suspect values say nothing about the air', () => {
  const stations = [
    station(20),
    station(900, { quality: ['jump'] }),
    station(800, { stale: true }),
    station(null),
  ]
  expect(trusted(stations, 'pm25').map((each) => each.measures['pm25']?.value)).toEqual([20])
  expect(airState(stations, 'pm25')?.value).toBe(20)
})

test('silence before a value does not make it doubtful', () => {
  expect(airState([station(20, { quality: ['gap'] })], 'pm25')?.value).toBe(20)
})

test('the mark on the scale moves only forward as the value grows', () => {
  let before = -1
  for (let value = 0; value < 300; value += 0.5) {
    const at = positionOn(value, BREAKS)
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThanOrEqual(1)
    before = at
  }
})
