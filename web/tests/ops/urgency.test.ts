import { describe, expect, it } from 'vitest'
import { alertFrom, caseFrom, type Alert, type CaseItem } from '../../src/ops/model/city'
import {
  caseRank,
  compareAlerts,
  compareCases,
  countBySeverity,
  isOverdue,
  lateness,
  severityOfRank,
  severityRank,
} from '../../src/ops/model/urgency'

const NOW = Date.parse('2025-05-22T05:00:00Z')
const alert = (id: string, severity: string, state: string, dateIssued: string): Alert =>
  alertFrom({ id, severity, state, dateIssued }) as Alert
const item = (id: string, state: string, dueAt: string | null): CaseItem =>
  caseFrom({ id, state, dueAt }) as CaseItem

describe('what comes first', () => {
  it('lists unattended alerts before attended, then the worst, then the newest', () => {
    const sorted = [
      alert('d', 'critical', 'acknowledged', '2025-05-22T04:00:00Z'),
      alert('c', 'watch', 'open', '2025-05-22T04:50:00Z'),
      alert('b', 'warning', 'open', '2025-05-22T03:00:00Z'),
      alert('a', 'warning', 'open', '2025-05-22T04:00:00Z'),
    ].sort(compareAlerts)
    expect(sorted.map((a) => a.id)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('lists the case due earliest first and finished ones last', () => {
    const sorted = [
      item('done', 'closed', '2025-05-20T00:00:00Z'),
      item('none', 'new', null),
      item('late', 'routed', '2025-05-21T00:00:00Z'),
      item('next', 'routed', '2025-05-23T00:00:00Z'),
    ].sort(compareCases)
    expect(sorted.map((c) => c.id)).toEqual(['late', 'next', 'none', 'done'])
  })

  it('calls nothing overdue that is finished', () => {
    expect(isOverdue(item('x', 'resolved', '2025-05-01T00:00:00Z'), NOW)).toBe(false)
    expect(isOverdue(item('x', 'routed', '2025-05-22T04:59:59Z'), NOW)).toBe(true)
    expect(lateness(item('x', 'routed', '2025-05-22T06:00:00Z'), NOW)).toBe('soon')
    expect(lateness(item('x', 'routed', '2025-05-23T06:00:00Z'), NOW)).toBe('in-time')
  })

  it('lends a case the severity of its living alert', () => {
    const calm = item('x', 'routed', '2025-05-25T00:00:00Z')
    expect(caseRank(calm, NOW)).toBe(1)
    expect(caseRank(calm, NOW, alert('a', 'critical', 'open', '2025-05-22T00:00:00Z'))).toBe(3)
    expect(caseRank(calm, NOW, alert('a', 'critical', 'resolved', '2025-05-22T00:00:00Z'))).toBe(1)
  })

  it('ranks severities both ways and takes an unknown one as the mildest', () => {
    for (const severity of ['critical', 'warning', 'watch']) {
      expect(severityOfRank(severityRank(severity))).toBe(severity)
    }
    expect(severityRank('peculiar')).toBe(1)
  })

  it('counts each unresolved alert once', () => {
    const counts = countBySeverity([
      alert('a', 'critical', 'open', ''),
      alert('b', 'watch', 'acknowledged', ''),
      alert('c', 'watch', 'resolved', ''),
    ])
    expect(counts).toEqual({ critical: 1, warning: 0, watch: 1 })
  })
})
