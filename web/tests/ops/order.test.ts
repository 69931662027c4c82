import { describe, expect, it } from 'vitest'
import { neighbour, settle } from '../../src/ops/model/order'

const rows = (...ids: string[]): { id: string; v: number }[] => ids.map((id) => ({ id, v: 1 }))

describe('a list under the pointer', () => {
  it('follows the order while nobody points at it', () => {
    expect(settle(rows('b', 'a'), rows('a'), false)).toEqual({ rows: rows('b', 'a'), waiting: [] })
  })

  it('moves nothing while held, and says what waits', () => {
    const shown = settle(rows('new', 'b', 'a'), rows('a', 'b'), true)
    expect(shown.rows.map((r) => r.id)).toEqual(['a', 'b'])
    expect(shown.waiting).toEqual(['new'])
  })

  it('still updates the words of a held row, and keeps one that left', () => {
    const shown = settle([{ id: 'a', v: 2 }], rows('a', 'gone'), true)
    expect(shown.rows).toEqual([
      { id: 'a', v: 2 },
      { id: 'gone', v: 1 },
    ])
  })

  it('fills an empty list even when held: there is nothing to disturb', () => {
    expect(settle(rows('a'), [], true).rows).toEqual(rows('a'))
  })

  it('walks by keyboard and stops at the ends', () => {
    expect(neighbour(['a', 'b'], null, 1)).toBe('a')
    expect(neighbour(['a', 'b'], 'a', 1)).toBe('b')
    expect(neighbour(['a', 'b'], 'b', 1)).toBe('b')
    expect(neighbour(['a', 'b'], 'a', -1)).toBe('a')
    expect(neighbour(['a', 'b'], 'gone', -1)).toBe('b')
    expect(neighbour([], null, 1)).toBeNull()
  })
})
