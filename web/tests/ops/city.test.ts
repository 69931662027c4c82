import { describe, expect, it } from 'vitest'
import {
  alertFrom,
  caseFrom,
  districtsFrom,
  lonLat,
  isStale,
  stationFrom,
  words,
} from '../../src/ops/model/city'

describe('parsing at the door', () => {
  it('reads a place however it is sent', () => {
    expect(lonLat([100.5, 13.7])).toEqual([100.5, 13.7])
    expect(lonLat({ type: 'Point', coordinates: [100.5, 13.7] })).toEqual([100.5, 13.7])
    expect(lonLat({ type: 'Point', coordinates: ['x'] })).toBeNull()
    expect(lonLat(null)).toBeNull()
  })

  it('reads names bare, by language, or as a language map', () => {
    expect(words({ th: 'ดินแดง', en: 'Din Daeng' })['th']).toBe('ดินแดง')
    expect(words({ languageMap: { en: 'Din Daeng' } })['en']).toBe('Din Daeng')
    expect(words('54t')).toEqual({ th: '54t', en: '54t' })
  })

  it('keeps what a reading tells about itself', () => {
    const station = stationFrom({
      id: 'urn:ngsi-ld:AirQualityObserved:th-bkk:54t',
      measures: {
        pm25: {
          value: 31.2,
          unit: 'µg/m³',
          observedAt: '2025-05-22T05:00:00Z',
          provenance: 'replayed',
          quality: ['jump'],
          stale: true,
        },
      },
    })
    expect(station?.code).toBe('54t')
    expect(station?.measures['pm25']).toMatchObject({
      value: 31.2,
      provenance: 'replayed',
      quality: ['jump'],
      stale: true,
    })
  })

  it('knows the unit of an alert from a list and from a change', () => {
    const id = 'urn:ngsi-ld:Alert:th-bkk:1'
    const listed = alertFrom({ id, observedValue: 31.2, unitCode: 'GQ', unit: 'µg/m³' })
    const heard = alertFrom({
      id,
      observedValue: { value: 31.2, observedAt: '2025-05-22T05:00:00Z', unitCode: 'GQ', unit: 'µg/m³' },
    })
    expect(listed?.unit).toBe('µg/m³')
    expect(heard).toMatchObject({ unit: 'µg/m³', observedValue: 31.2 })
    // A share has a code and no sign: nothing is shown.
    const share = { value: 3, observedAt: '2025-05-22T05:00:00Z', unitCode: 'C62', unit: '' }
    expect(alertFrom({ id, observedValue: share })?.unit).toBe('')
  })

  it('does not break on nonsense', () => {
    expect(stationFrom(null)).toBeNull()
    expect(alertFrom({})).toBeNull()
    expect(alertFrom({ id: 'x', state: 'strange' })?.state).toBe('open')
    expect(caseFrom([])).toBeNull()
    expect(districtsFrom('no')).toEqual([])
  })

  it('calls a value stale after twice its period', () => {
    const at = Date.parse('2025-05-22T05:00:00Z')
    expect(isStale(at, 3600, at + 7_200_000)).toBe(false)
    expect(isStale(at, 3600, at + 7_200_001)).toBe(true)
    expect(isStale(null, 3600, at)).toBe(true)
  })

  it('takes a department as a code or as an object', () => {
    expect(caseFrom({ id: 'x', department: 'roads' })?.department).toBe('roads')
    expect(caseFrom({ id: 'x', department: { code: 'roads' } })?.department).toBe('roads')
  })
})
