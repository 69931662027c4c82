/** What the screens of the network count for themselves: made answers, pure decisions. */
import { expect, test } from 'vitest'
import { listOf, midOf, toggled } from '../../src/network/model/compare'
import { byAgreement, countBy, fateOf, groupsOf, statusesOf } from '../../src/network/model/figures'
import { editOf, isUnexplained, subjectsOf } from '../../src/network/model/lines'
import { answers, boundsOf, byCountry } from '../../src/network/model/map'
import type { Line, Row } from '../../src/network/types'

const row = (focus: string, status: Row['status'], country = 'TH'): Row => ({
  year: 2025, project: null, name: `${focus} ${status}`, city: 'th-x', cityName: 'X', country, focus, status,
})

test('a status that no row says is counted apart, never as another', () => {
  const groups = countBy([row('FA1', 'completed'), row('FA1', null), row('FA2', null)], (one) => one.focus ?? '', ['FA1', 'FA2', 'FA3'])
  expect(groups.map((each) => [each.id, each.total])).toEqual([['FA1', 2], ['FA2', 1], ['FA3', 0]])
  expect(groups[0]?.parts).toEqual({ completed: 1, none: 1 })
  expect(statusesOf(groups)).toEqual(['completed', 'none'])
})

test('the parts of a chart add up to the rows it was made of', () => {
  const rows = [row('FA1', 'planning'), row('FA4', 'ongoing'), row('FA4', null, 'MY')]
  const sum = countBy(rows, (one) => one.country).reduce((total, each) => total + each.total, 0)
  expect(sum).toBe(rows.length)
})

test('figures that differ are read first, what cannot be told after them, what agrees last', () => {
  const found = byAgreement([{ agrees: true }, { agrees: null }, { agrees: false }])
  expect(found.map((one) => one.agrees)).toEqual([false, null, true])
})

test('a project that the newest report leaves out has vanished, unless it was said to have ended', () => {
  const years = (status: Row['status'], ...of: number[]) => of.map((year) => ({ year, status }))
  expect(fateOf(years(null, 2022, 2023), 2025, false)).toBe('vanished')
  expect(fateOf(years('completed', 2022), 2025, false)).toBe('completed')
  expect(fateOf(years(null, 2024, 2025), 2025, true)).toBe('renamed')
  expect(fateOf(years(null, 2025), 2025, false)).toBe('new')
  expect(fateOf([], 2025, false)).toBeNull()
})

const line = (key: string, value: Line['value'], reason: string | null = null): Line => ({
  key, kind: 'project', subject: 'p', name: 'P', field: key, value, unit: null, grade: null, from: null, asOf: null, reason,
})

test('what is missing without a reason is counted, for it keeps a return from being sent', () => {
  const [subject] = subjectsOf([line('a', 3), line('b', null), line('c', null, 'not measured')])
  expect([subject?.missing, subject?.unexplained]).toEqual([2, 1])
  expect(isUnexplained(line('b', null, '  '))).toBe(true)
})

test('nothing stays nothing, a number is a number, words stay words', () => {
  expect(editOf(line('a', 3), '1,234.5', '')).toEqual({ key: 'a', value: 1234.5, reason: '' })
  expect(editOf(line('a', 3), ' ', 'burnt')).toEqual({ key: 'a', value: null, reason: 'burnt' })
  expect(editOf(line('a', 'ongoing'), 'completed', '')).toMatchObject({ value: 'completed' })
})

test('an address carries a comparison, each city once and no more than fit', () => {
  expect(listOf('a, b,a,,c', 2)).toEqual(['a', 'b'])
  expect(toggled(['a', 'b'], 'a')).toEqual(['b'])
  expect(new Date(midOf('2025-01-01', '2026-01-01')).getUTCMonth()).toBe(6)
})

test('the map holds every member that has a place, and the region where none has', () => {
  expect(boundsOf([{ location: [100, 13] }, { location: null }, { location: [104, 1] }], 1)).toEqual([99, 0, 105, 14])
  expect(boundsOf([])[0]).toBeLessThan(100)
})

test('members stand by country and name, without rank, and are found whatever the accents', () => {
  const members = [
    { code: 'vn-hn', country: 'VN', projects: 9 }, { code: 'th-b', country: 'TH', projects: 1 }, { code: 'th-a', country: 'TH', projects: 0 },
  ]
  const groups = byCountry(members, (one) => one.code, (code) => code, 'en')
  expect(groups.map((each) => each.members.map((one) => one.code))).toEqual([['th-a', 'th-b'], ['vn-hn']])
  expect(answers('da nang', 'Đà Nẵng', 'Da Nang')).toBe(true)
  expect(answers('  ', 'anything')).toBe(true)
})

test('a table of the report is drawn as its counts say, without what nobody has', () => {
  const table = {
    rows: [{ code: 'FA1', name: 'a' }, { code: 'FA2', name: 'b' }],
    columns: [{ code: 'completed', name: 'c' }, { code: 'none', name: 'n' }],
    counts: [[2, 0], [1, 3]],
  }
  expect(groupsOf(table)).toEqual([
    { id: 'FA1', parts: { completed: 2 }, total: 2 },
    { id: 'FA2', parts: { completed: 1, none: 3 }, total: 4 },
  ])
})
