/** What the measure screens decide by themselves. */
import { expect, test } from 'vitest'
import { daysTo, flowList, flowRows, linesOf, numberOf, rowsOf, wordsOf, wrongIn, yearOf, type Column } from '../src/measure/model/draft'
import { betterOf, changeLook } from '../src/measure/model/looks'
import { decimalsOf, ordered, rhythmOf, sectionsOf, storyOf, summaryOf } from '../src/measure/model/values'
import { actsOf, dueOf, needsWords } from '../src/measure/model/workflow'
import type { Change, Line, Place, Value } from '../src/measure/types'

const line = (code: string, more: Partial<Line> = {}): Line =>
  ({ code, value: null, better: null, target: null, ...more }) as Line
const place = (code: string, parent: string | null, indicators: Line[]): Place =>
  ({ code, parent, indicators, level: 'focus-area' }) as Place
const value = (label: string, start: string, end: string, more: Partial<Value> = {}): Value =>
  ({ period: { label, start, end }, area: '', breakdown: '', value: 1, ...more }) as Value

test('less is better where the measure says so, and neither where it gives context', () => {
  expect(betterOf('down', -2)).toBe(true)
  expect(betterOf('up', -2)).toBe(false)
  expect(betterOf('context', 5)).toBeNull()
  expect(betterOf('up', 0)).toBeNull()
})

test('where a value went and whether that is good are two different signs', () => {
  expect(changeLook(-3, true)).toEqual({ tone: 'ok', icon: 'chevron-down' })
  expect(changeLook(3, false)).toEqual({ tone: 'warning', icon: 'chevron-up' })
  expect(changeLook(null, null)).toBeNull()
})

test('a part of the scorecard holds what lies below it, each measure once', () => {
  const [section] = sectionsOf([
    place('FA1', null, [line('a')]),
    place('FA1.1', 'FA1', [line('a'), line('b', { value: 3 })]),
  ])
  expect(section?.lines.map((one) => one.code)).toEqual(['a', 'b'])
  expect(summaryOf(section?.lines ?? [])).toMatchObject({ all: 2, answered: 1, targets: 0 })
})

test('the story of a rhythm leaves out districts, groups and other periods, the oldest first', () => {
  const values = [
    value('2025', '2025-01-01', '2026-01-01'),
    value('2025-05', '2025-05-01', '2025-06-01'),
    value('2025-04', '2025-04-01', '2025-05-01'),
    value('2025-05', '2025-05-01', '2025-06-01', { area: '1001' }),
  ]
  expect(storyOf(values, 'month').map((one) => one.period.label)).toEqual(['2025-04', '2025-05'])
  expect(rhythmOf(value('2024', '2024-01-01', '2025-01-01'))).toBe('year')
})

test('what got worse is read first, and of that the largest', () => {
  const change = (code: string, amount: number, better: boolean | null): Change =>
    ({ code, change: amount, better, before: { value: 10 }, now: { value: 10 + amount } }) as Change
  const all = [change('a', 9, true), change('b', -1, false), change('c', -5, false), change('d', 2, null)]
  expect(ordered(all).map((one) => one.code)).toEqual(['c', 'b', 'a', 'd'])
})

test('a number shows three figures and no more than its unit bears', () => {
  expect([decimalsOf(12.3456, '%'), decimalsOf(0.104, '%'), decimalsOf(3612.93), decimalsOf(5)]).toEqual([1, 2, 0, 0])
})

test('nobody is offered to check what he entered, nor what has an error', () => {
  const may = () => true
  const draft = { status: 'draft', author: 'account:7', value: 1, findings: [] } as unknown as Value
  expect(actsOf(draft, may, '7')).toEqual([])
  expect(actsOf(draft, may, '8')).toEqual(['check'])
  expect(actsOf({ ...draft, findings: [{ code: 'x', severity: 'error', words: '' }] }, may, '8')).toEqual([])
  expect(actsOf({ ...draft, status: 'locked' }, may, '8')).toEqual(['reopen'])
  expect(actsOf({ ...draft, status: 'checked' }, (one) => one === 'indicator:check', '8')).toEqual(['return'])
})

test('the way back asks for a reason', () => {
  expect(needsWords('reopen', { findings: [] })).toBe(true)
  expect(needsWords('check', { findings: [] })).toBe(false)
  expect(needsWords('check', { findings: [{ code: 'x', severity: 'warning', words: '' }] })).toBe(true)
})

test('numbers and years are read as people here type them', () => {
  expect(['1,250.5', '1250', '12,5', '๑๒', '-3', '1 250'].map(numberOf)).toEqual([1250.5, 1250, 12.5, 12, -3, 1250])
  expect(['', 'ten', '1,2,3', null].map(numberOf)).toEqual([null, null, null, null])
  expect([yearOf('2568'), yearOf(2025), yearOf('')]).toEqual([2025, 2025, null])
})

const RISKS: Column[] = [
  { key: 'name', label: 'n', kind: 'text', required: true },
  { key: 'likelihood', label: 'l', kind: 'choice', required: true, numeric: true },
  { key: 'owner', label: 'o', kind: 'text' },
]

test('a row in which nothing is said is not sent, and what no column shows is kept', () => {
  const sent = rowsOf(RISKS, [{ likelihood: '3' }, { name: ' Flood ', likelihood: '4', owner: '' }, { name: 'x', likelihood: 1, file: 'f' }])
  expect(sent).toEqual([{ name: 'Flood', likelihood: 4 }, { file: 'f', name: 'x', likelihood: 1 }])
})

test('a row that was begun says what it lacks, by its place', () => {
  expect(wrongIn('risks', RISKS, [{ likelihood: '3' }, { owner: 'Drainage' }])).toEqual({
    'risks.1.name': 'missing',
    'risks.1.likelihood': 'missing',
  })
  expect(wrongIn('f', [{ key: 'amount', label: 'a', kind: 'number' }], [{ amount: 'much' }])).toEqual({ 'f.0.amount': 'number' })
})

test('words, lines and flows leave nothing empty behind', () => {
  expect(wordsOf({ th: ' ก ', en: '' })).toEqual({ th: 'ก' })
  expect(wordsOf({ th: ' ' })).toBeUndefined()
  expect(linesOf('a\n\n b ')).toEqual(['a', 'b'])
  const rows = flowRows({ capital: [100], revenue: [0, 60] })
  expect(flowList(rows, 'capital')).toEqual([100])
  expect(flowList(rows, 'revenue')).toEqual([0, 60])
  expect(flowList(rows, 'benefits')).toEqual([])
})

test('what is entered is due to be checked, then approved; what the city counted is not', () => {
  const entered = { method: 'by-hand', at: '2025-05-01T03:00:00Z' }
  expect(dueOf({ ...entered, status: 'draft' }, new Date('2025-05-10T00:00:00Z'))).toEqual({ day: '2025-05-15', late: false })
  expect(dueOf({ ...entered, status: 'checked' }, new Date('2025-06-10T00:00:00Z'))?.late).toBe(true)
  expect(dueOf({ ...entered, status: 'approved' }, new Date())).toBeNull()
  expect(dueOf({ ...entered, method: 'computed', status: 'draft' }, new Date())).toBeNull()
  expect(daysTo('2025-05-01', new Date('2025-05-04T12:00:00Z'))).toBe(-3)
})
