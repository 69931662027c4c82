/** Finding the kind of problem and the district, and what stays on the phone. */
import { expect, test } from 'vitest'
import type { Districts } from '../../src/kit/api-types'
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
