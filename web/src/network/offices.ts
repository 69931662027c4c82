/**
 * For whom the reader acts, by the departments of the account: `city:th-bkk`, `country:TH`, `partner:adb`. The city
 * judges the same (`network/work/rights.py`); here it only spares people what would be refused.
 */
import { session } from '$kit/session.svelte'
import type { Member } from './types'

/** Whether the reader speaks for one of these offices; the network's own offices speak for all. */
export function speaksFor(...offices: string[]): boolean {
  if (session.has('secretariat', 'administrator')) return true
  return session.account?.departments.some((each) => offices.includes(each)) ?? false
}

/** Codes of the reader's own cities or organisations. */
export function ownCodes(kind: 'city' | 'partner'): string[] {
  const marked = session.account?.departments.filter((each) => each.startsWith(`${kind}:`)) ?? []
  return marked.map((each) => each.slice(kind.length + 1))
}

/** The cities of the reader's own office; all for the network's offices. */
export function ownCities(members: readonly Member[]): readonly Member[] {
  const own = ownCodes('city')
  return own.length ? members.filter((each) => own.includes(each.code)) : members
}
