/** Finding the kind of problem and the district, and what stays on the phone. */
import { expect, test } from 'vitest'
import type { Districts } from '../../src/kit/api-types'
import { landmarkOf, once, searchLandmarks } from '../../src/kit/landmarks'
import { groupsOf, searchCategories } from '../../src/resident/categories'
import { afterSending, isBegun, newDraft } from '../../src/resident/drafts'
import { districtAt, metresBetween } from '../../src/resident/place'

const HEADS = [
  { code: 'water', name: { th: 'น้ำ', en: 'Water' } },
  { code: 'empty', name: { th: 'ว่าง', en: 'Empty' } },
]
const CATEGORIES = [
  { code: 'flood', name: { th: 'น้ำท่วม', en: 'Flooding' }, group: 'water' },
  { code: 'drain', name: { th: 'ท่อระบายน้ำ', en: 'Drain' }, group: 'water' },
  { code: 'other', name: { th: 'อื่น ๆ', en: 'Something else' } },
]

test('a head without kinds is not shown, a kind without a head stands alone', () => {
  const groups = groupsOf(CATEGORIES, HEADS)
  expect(groups.map(({ head, leaves }) => [head.code, leaves.map((leaf) => leaf.code)])).toEqual([
    ['water', ['flood', 'drain']],
    ['other', ['other']],
  ])
})

test('search finds in either language, names before heads', () => {
  const groups = groupsOf(CATEGORIES, HEADS)
  expect(searchCategories(groups, 'flood').map((found) => found.code)).toEqual(['flood'])
  expect(searchCategories(groups, 'ท่อ').map((found) => found.code)).toEqual(['drain'])
  expect(searchCategories(groups, 'water').map((found) => found.code)).toEqual(['flood', 'drain'])
  expect(searchCategories(groups, '  ')).toEqual([])
})

const SQUARES: Districts = {
  type: 'FeatureCollection',
  features: [
    {
      type: 'Feature',
      properties: { code: 'a', name: 'A' },
      geometry: {
        type: 'Polygon',
        coordinates: [
          [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]],
          [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]],
        ],
      },
    },
    {
      type: 'Feature',
      properties: { code: 'b', name: 'B' },
      geometry: { type: 'MultiPolygon', coordinates: [[[[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]]] },
    },
  ],
}

test('a place is in the district whose hole it is not in', () => {
  expect(districtAt(1, 1, SQUARES)?.properties.code).toBe('a')
  expect(districtAt(5, 5, SQUARES)?.properties.code).toBe('b')
  expect(districtAt(50, 5, SQUARES)).toBeUndefined()
})

test('a hundredth of a degree northwards is about 1.1 km', () => {
  expect(metresBetween([100.5, 13.7], [100.5, 13.71])).toBeCloseTo(1113, 0)
})

test('once the city has a report, the phone keeps the code and nothing that was told', () => {
  const draft = { ...newDraft('id', '2025-05-22T05:00:00Z', 'th'), words: 'w', name: 'n', contact: 'c' }
  expect(isBegun(draft)).toBe(true)
  const sent = {
    trackingCode: 'ACDEF',
    caseNumber: '1',
    caseId: 'urn:1',
    department: { code: 'd', name: 'D' },
    dueAt: '2025-05-24T05:00:00Z',
  }
  const kept = JSON.stringify(afterSending({ ...draft, photos: [new Blob(['x'])] }, sent))
  expect(kept).toContain('ACDEF')
  expect(afterSending(draft, sent)).toMatchObject({ words: '', name: '', contact: '', photos: [] })
})

const LANDMARKS = [
  { id: '1', name: { th: 'สยาม', en: 'Siam' }, kind: 'station' as const, lon: 100.53, lat: 13.74 },
  { id: '2', name: { th: 'ศิริราช', en: 'Siriraj Hospital' }, kind: 'place' as const, lon: 100.48, lat: 13.75 },
  { id: '3', name: { th: 'สนามกีฬา', en: 'National Stadium, Siam' }, kind: 'station' as const, lon: 100.5, lat: 13.7 },
]

test('landmarks are found in either language, those that begin so first', () => {
  expect(searchLandmarks(LANDMARKS, 'siam').map(({ id }) => id)).toEqual(['1', '3'])
  expect(searchLandmarks(LANDMARKS, 'ศิริ').map(({ id }) => id)).toEqual(['2'])
  expect(searchLandmarks(LANDMARKS, 's', 2)).toHaveLength(2)
})

test('what has no point or no name is no landmark', () => {
  expect(landmarkOf({ id: 'x', type: 'PointOfInterest', name: 'X' })).toBeNull()
  const location = { type: 'Point', coordinates: [100.5, 13.7] }
  expect(landmarkOf({ id: 'x', type: 'TransitStation', location })).toBeNull()
  expect(landmarkOf({ id: 'x', type: 'TransitStation', name: 'X', location })).toMatchObject({
    kind: 'station',
    lon: 100.5,
    lat: 13.7,
  })
})

test('a station of two lines is one landmark, two places of one name far apart are two', () => {
  const siam = LANDMARKS[0]!
  const beside = { ...siam, id: 'other line', lon: siam.lon + 0.001 }
  const elsewhere = { ...siam, id: 'elsewhere', lat: siam.lat + 0.2 }
  expect(once([siam, beside, elsewhere]).map(({ id }) => id)).toEqual(['1', 'elsewhere'])
})
