/** A hundred stations over one bound are one warning, not a hundred. */
import { expect, test } from 'vitest'
import type { Alert, Severity } from '../../src/kit/api-types'
import { warningsOf } from '../../src/resident/alerts'

let count = 0
const alert = (ruleId: string, severity: Severity, observedValue: number): Alert => ({
  id: `a${count++}`,
  ruleId,
  category: 'air',
  severity,
  state: 'open',
  observedValue,
  dateIssued: `2025-05-22T0${count % 10}:00:00Z`,
})

test('alerts of one rule and severity are one warning, worst place first, gravest warning first', () => {
  const warnings = warningsOf([
    alert('dust', 'watch', 26),
    alert('dust', 'watch', 31),
    alert('dust', 'warning', 40),
    alert('rain', 'critical', 90),
  ])
  expect(warnings.map((warning) => [warning.severity, warning.places.length])).toEqual([
    ['critical', 1],
    ['warning', 1],
    ['watch', 2],
  ])
  expect(warnings[2]?.places.map((place) => place.observedValue)).toEqual([31, 26])
})

test('a warning holds since its first alert', () => {
  const alerts = [alert('dust', 'watch', 1), alert('dust', 'watch', 2)]
  const first = alerts.map((each) => each.dateIssued).sort()[0]
  expect(warningsOf(alerts)[0]?.since).toBe(first)
  expect(warningsOf([])).toEqual([])
})
