/** Drafts are kept by account, form and entity; another account never finds them, and signing out leaves none. */
import { beforeEach, expect, test, vi } from 'vitest'
import { draftKey, dropDraft, dropDrafts, findDraft, keepDraft } from '../src/kit/drafts'

class Window {
  #kept = new Map<string, string>()
  get length() {
    return this.#kept.size
  }
  key = (n: number) => [...this.#kept.keys()][n] ?? null
  getItem = (key: string) => this.#kept.get(key) ?? null
  setItem = (key: string, text: string) => void this.#kept.set(key, text)
  removeItem = (key: string) => void this.#kept.delete(key)
}

const at = '2026-11-21T09:00:00Z'
let storage: Window
beforeEach(() => {
  storage = new Window()
  vi.stubGlobal('sessionStorage', storage)
})

test('a draft is found by whom, which form and which entity it is of', () => {
  const key = draftKey('a1', 'project', 'urn:x:1')
  keepDraft(key, { at, version: 3, said: { name: 'Canal' } })
  expect(findDraft(key)).toEqual({ at, version: 3, said: { name: 'Canal' } })
  for (const other of [draftKey('a2', 'project', 'urn:x:1'), draftKey('a1', 'plan', 'urn:x:1'), draftKey('a1', 'project', '')]) {
    expect(findDraft(other)).toBeNull()
  }
  dropDraft(key)
  expect(findDraft(key)).toBeNull()
})

test('signing out leaves no draft; another account finds its own alone', () => {
  storage.setItem('else', 'kept')
  for (const account of ['a1', 'a1/x', 'a2']) keepDraft(draftKey(account, 'plan', ''), { at, version: null, said: account })
  dropDrafts('a1')
  expect(findDraft(draftKey('a1', 'plan', ''))?.said).toBe('a1')
  expect(findDraft(draftKey('a1/x', 'plan', ''))).toBeNull()
  dropDrafts()
  expect([storage.length, storage.getItem('else')]).toEqual([1, 'kept'])
})

test('a form works where a window keeps nothing, and nothing longer than a form is kept', () => {
  keepDraft('draft/long', { at, version: null, said: 'x'.repeat(500_000) })
  expect(storage.length).toBe(0)
  storage.setItem('draft/spoilt', '{')
  expect(findDraft('draft/spoilt')).toBeNull()
  vi.stubGlobal('sessionStorage', undefined)
  keepDraft('draft/x', { at, version: null, said: 1 })
  expect(findDraft('draft/x')).toBeNull()
})
