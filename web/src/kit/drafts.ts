/**
 * What was entered in long forms and not sent: kept in this window alone, by account, form and entity, so that a page
 * that is left or a dialog that closes loses nothing. Signing out clears it; another account never sees it.
 */
export interface Kept<T = unknown> {
  /** The city's time at the last change. */
  at: string
  /** The version of the entity that it was begun on; null for a new one. */
  version: number | null
  said: T
}

const PREFIX = 'draft'
/** Longer than any form: a window keeps some five million characters of all pages. */
const CHARACTERS_MAX = 400_000

export const draftKey = (account: string, form: string, entity: string): string =>
  [PREFIX, account, form, entity].map(encodeURIComponent).join('/')

/** A window may keep nothing: storage is switched off, or full. The form then works without. */
function quietly<R>(act: (storage: Storage) => R): R | null {
  try {
    return act(sessionStorage)
  } catch {
    return null
  }
}

export function keepDraft(key: string, kept: Kept): void {
  const text = JSON.stringify(kept)
  if (text.length > CHARACTERS_MAX) return
  quietly((storage) => storage.setItem(key, text))
}

export function findDraft<T>(key: string): Kept<T> | null {
  return quietly((storage) => JSON.parse(storage.getItem(key) ?? 'null') as Kept<T> | null)
}

export function dropDraft(key: string): void {
  quietly((storage) => storage.removeItem(key))
}

/** Forget all that is kept, but for what `account` entered. */
export function dropDrafts(account: string | null = null): void {
  const own = account === null ? null : `${PREFIX}/${encodeURIComponent(account)}/`
  quietly((storage) => {
    const keys = Array.from({ length: storage.length }, (_, n) => storage.key(n) ?? '')
    for (const key of keys) {
      if (key.startsWith(`${PREFIX}/`) && !(own && key.startsWith(own))) storage.removeItem(key)
    }
  })
}
