/** How a department looks at its work. */
import { expect, test } from 'vitest'
import { heldStill, neighbour, queryOf, VIEWS } from '../src/desk/views'

test('every view asks for at most a page, and filters reach the question', () => {
  for (const view of VIEWS) {
    const query = queryOf(view, { department: 'd', category: '' })
    expect(query['limit']).toBeLessThanOrEqual(200)
    expect(query['department']).toBe('d')
    expect(query['category']).toBeNull()
  }
})

test('J and K stop at the ends of the list', () => {
  const ids = ['a', 'b', 'c']
  expect(neighbour(ids, null, 1)).toBe('a')
  expect(neighbour(ids, 'a', -1)).toBe('a')
  expect(neighbour(ids, 'b', 1)).toBe('c')
  expect(neighbour(ids, 'c', 1)).toBe('c')
  expect(neighbour(ids, 'gone', 1)).toBe('a')
  expect(neighbour([], 'a', 1)).toBeNull()
})

test('no row moves under the hand: values change in place, new ones wait, gone ones stay', () => {
  const shown = [
    { id: 'a', state: 'routed' },
    { id: 'b', state: 'routed' },
    { id: 'c', state: 'routed' },
  ]
  const newest = [
    { id: 'new', state: 'routed' },
    { id: 'c', state: 'accepted' },
    { id: 'a', state: 'routed' },
  ]
  expect(heldStill(shown, newest)).toEqual({
    rows: [
      { id: 'a', state: 'routed' },
      { id: 'b', state: 'routed' },
      { id: 'c', state: 'accepted' },
    ],
    waiting: 1,
  })
})
