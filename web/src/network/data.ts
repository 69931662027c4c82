/** Reading what several places of /network ask for, each once for a page. */
import { api, type Query } from '$kit/api'
import type { List } from '$kit/api-types'
import type { Member, Row } from './types'

/** A page of the network's own lists, and how many pages are read before it is enough for a screen. */
const PAGE = 1000
const PAGES_MAX = 20

/** All of a list, page by page; a list longer than 20,000 is cut, for nobody reads it on a screen. */
export async function all<T>(path: string, query: Query, signal?: AbortSignal, limit = PAGE): Promise<T[]> {
  const found: T[] = []
  let after: string | null = null
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const asked: Query = { ...query, limit, after }
    const answer: List<T> = await api.get<List<T>>(path, asked, signal ? { signal } : {})
    found.push(...answer.items)
    after = answer.next ?? null
    if (!after) break
  }
  return found
}

let members: Promise<Member[]> | null = null

/** The members by name, read once; a failure is tried again at the next call. */
export function loadMembers(): Promise<Member[]> {
  members ??= all<Member>('/network/members', {}).catch((problem: unknown) => {
    members = null
    throw problem
  })
  return members
}

export function forgetMembers(): void {
  members = null
}

export interface YearCount {
  year: number
  projects: number
  cities: number
}

/** Years that have rows, the newest first. */
export async function loadYears(signal?: AbortSignal): Promise<YearCount[]> {
  const answer = await api.get<List<YearCount> | { items: YearCount[] }>('/network/years', {}, signal ? { signal } : {})
  return [...answer.items].sort((one, other) => other.year - one.year)
}

export const loadRows = (query: Query, signal?: AbortSignal): Promise<Row[]> =>
  all<Row>('/network/projects', query, signal)
