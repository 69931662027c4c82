import { describe, expect, it } from 'vitest'
import {
  alertFrom,
  alertStepsFrom,
  caseFrom,
  stationFrom,
  type Alert,
  type CaseItem,
  type Station,
} from '../../src/ops/model/city'
import { countCases, meanOfStations } from '../../src/ops/model/districts'
import { bandsFor, inTimeIndicator, ownOf } from '../../src/ops/model/layers'
import { measuresFrom } from '../../src/ops/model/scale'
import { actionFor, SHORTCUTS } from '../../src/ops/model/keys'
import { columns, limitsNear, samplesFrom, usualPeriod } from '../../src/ops/model/series'
import { storyOf } from '../../src/ops/model/story'

const HOUR = 3_600_000
const NOW = Date.parse('2025-05-22T05:00:00Z')

describe('districts', () => {
  const districts = [
    { code: '1', name: {}, population: 10, approximate: false },
    { code: '2', name: {}, population: null, approximate: true },
  ]
  const station = (id: string, district: string, reading: object): Station =>
    stationFrom({ id, district, measures: { pm25: reading } }) as Station

  it('are the mean of their sound stations, and empty without one', () => {
    const values = meanOfStations(
      districts,
      [
        station('a', '1', { value: 20 }),
        station('b', '1', { value: 30 }),
        station('c', '1', { value: 900, quality: ['jump'] }),
        station('d', '1', { value: 0, stale: true }),
      ],
      'pm25',
    )
    expect(values[0]).toEqual({ code: '1', value: 25, count: 2 })
    expect(values[1]).toEqual({ code: '2', value: null, count: 0 })
  })

  it('count open and overdue cases', () => {
    const item = (state: string, dueAt: string): CaseItem =>
      caseFrom({ id: state + dueAt, state, dueAt, district: '1' }) as CaseItem
    const cases = [
      item('routed', '2025-05-22T04:00:00Z'),
      item('routed', '2025-05-22T06:00:00Z'),
      item('closed', '2025-05-22T04:00:00Z'),
    ]
    expect(countCases(districts, cases, 'open', NOW)[0]?.value).toBe(2)
    expect(countCases(districts, cases, 'overdue', NOW)[0]?.value).toBe(1)
    expect(countCases(districts, cases, 'overdue', NOW)[1]?.value).toBe(0)
  })
})

describe('the chart of a station', () => {
  const sample = (hour: number, value: number | null, ...quality: string[]) => ({
    at_ms: NOW + hour * HOUR,
    value,
    quality,
  })

  it('breaks the line where the station was silent', () => {
    const chart = columns([sample(0, 1), sample(1, 2), sample(4, 3)], 3600)
    expect(chart.sound).toEqual([1, 2, null, 3])
  })

  it('sets doubtful values apart and shows each once', () => {
    const chart = columns([sample(1, 99, 'jump'), sample(0, 1), sample(0, 1)], 3600)
    expect(chart.sound).toEqual([1, null])
    expect(chart.doubtful).toEqual([null, 99])
  })

  it('finds the usual period', () => {
    expect(usualPeriod([sample(0, 1), sample(1, 1), sample(2, 1), sample(9, 1)])).toBe(3600)
    expect(usualPeriod([])).toBe(3600)
  })

  it('draws the highest threshold crossed and the next one, not one far away', () => {
    expect(limitsNear([20, null, 30], [75, 15, 25, 37.5])).toEqual([25, 37.5])
    expect(limitsNear([3], [25, 37.5])).toEqual([])
    expect(limitsNear([], [])).toEqual([])
  })

  it('reads a temporal entity with one instance or many', () => {
    const one = { value: 9, observedAt: '2025-05-22T05:00:00Z', quality: { value: ['jump'] } }
    expect(samplesFrom({ pm25: one }, 'pm25')).toEqual([
      { at_ms: NOW, value: 9, quality: ['jump'] },
    ])
    expect(samplesFrom({ pm25: [one, { value: 'x' }] }, 'pm25')).toHaveLength(1)
    expect(samplesFrom(null, 'pm25')).toEqual([])
  })
})

describe('what the map is coloured by', () => {
  it('offers one thing once, whatever the city calls it', () => {
    expect(ownOf('in_time_share')).toBe('cases-in-time')
    expect(ownOf('noise')).toBeNull()
    expect(inTimeIndicator(['noise', 'cases_resolved_in_time'])).toBe('cases_resolved_in_time')
  })

  it('colours a share in fifths and an official index in its own bands', () => {
    expect(bandsFor('cases-in-time', [0.1], []).map((b) => b.upTo)).toEqual([
      0.2,
      0.4,
      0.6,
      0.8,
      null,
    ])
    const offered = measuresFrom([
      { code: 'cases-in-time', kind: 'district', breaks: [{ upTo: 50, color: '#000' }] },
    ])
    expect(bandsFor('cases-in-time', [], offered)[0]?.upTo).toBe(0.5)
    const [pm25] = measuresFrom([{ code: 'pm25', breaks: [{ upTo: null, color: '#fff' }] }])
    expect(bandsFor('pm25-mean', [1], pm25 ? [pm25] : [])).toHaveLength(1)
  })
})

describe('the keyboard', () => {
  const press = (key: string, mods: object = {}) => ({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    ...mods,
  })

  it('has one action per key', () => {
    expect(new Set(SHORTCUTS.map((s) => s.key)).size).toBe(SHORTCUTS.length)
    for (const { key, action } of SHORTCUTS) expect(actionFor(press(key), false)).toBe(action)
  })

  it("leaves the browser's own keys and the fields alone", () => {
    expect(actionFor(press('r', { ctrlKey: true }), false)).toBeNull()
    expect(actionFor(press('a'), true)).toBeNull()
    expect(actionFor(press('Escape'), true)).toBe('close')
  })

  it('understands a Thai keyboard', () => {
    expect(actionFor(press('ฟ'), false)).toBe('acknowledge')
    expect(actionFor(press('่'), false)).toBe('next')
    expect(actionFor(press('ฦ'), false)).toBe('help')
  })
})

describe("an alert's story", () => {
  const base = { id: 'a', dateIssued: '2025-05-22T05:00:00Z' }
  const kinds = (told: { kind: string; done: boolean }[]) => told.map((s) => [s.kind, s.done])

  it('tells what happened in order, then what is to come', () => {
    const open = alertFrom({ ...base, refCase: 'c' }) as Alert
    expect(kinds(storyOf(open, [], NOW + 1))).toEqual([
      ['raised', true],
      ['case', true],
      ['acknowledged', false],
      ['resolved', false],
    ])
  })

  it('takes the steps that the city keeps, with their values, before its own guess', () => {
    const ended = alertFrom({ ...base, state: 'resolved', observedValue: 20 }) as Alert
    const kept = alertStepsFrom({
      steps: [
        { kind: 'raised', at: '2025-05-22T05:00:00Z', value: 26, by: 'system' },
        { kind: 'resolved', at: '2025-05-22T09:00:00Z', value: 20, by: 'system' },
      ],
    })
    const story = storyOf(ended, kept, null)
    expect(kinds(story)).toEqual([
      ['raised', true],
      ['resolved', true],
    ])
    expect(story[0]?.value).toBe(26)
  })

  it('tells a case of unknown hour right after what made it', () => {
    const alert = alertFrom({ ...base, refCase: 'c', acknowledgedAt: '2025-05-22T06:00:00Z' })
    expect(
      storyOf(alert as Alert, [], null)
        .map((s) => s.kind)
        .slice(0, 3),
    ).toEqual(['raised', 'case', 'acknowledged'])
  })
})
