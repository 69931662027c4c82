/** How the installation does: read every few seconds while the page is open. */
import { api } from '$kit/api'
import type { Words } from '$kit/i18n.svelte'
import { resource } from '$kit/resource.svelte'
import { session } from '$kit/session.svelte'
import { balanceOf, countersFrom } from './model/balance'

const EVERY_MS = 4_000

/** A stored problem in the words of the language asked for. */
export interface Told {
  code: string
  title: string
  detail: string
  hint: string
}

export interface SourceCounts {
  source: string
  received: number
  stored: number
  duplicate: number
  parked: number
  refused: number
  inFlight: number
}

export interface CountersAnswer {
  total: SourceCounts
  sources: SourceCounts[]
  reasons: {
    source: string
    outcome: string
    code: string
    title: string
    count: number
    lastAt: string
    lastDevice: string | null
  }[]
}

export interface FeedView {
  id: string
  name: Words
  publisher: string
  licence: string
  url: string
  enabled: boolean
  state: 'polling' | 'off' | 'resting' | 'failing' | 'waiting' | 'late' | 'good'
  periodS: number
  triedAt: string | null
  succeededAt: string | null
  newestAt: string | null
  lagS: number | null
  nextAt: string | null
  failures: number
  problem: Told | null
}

export interface ParkedView {
  id: number
  source: string
  device: string | null
  topic: string | null
  receivedAt: string
  state: string
  attempts: number
  reason: Told
  payload: string
  payloadHex: string | null
  sizeBytes: number
  replayable: boolean
}

export interface ParkedAnswer {
  items: ParkedView[]
  next: number | null
  reasons: { code: string; title: string; source: string; count: number; since: string }[]
}

export interface ReadersAnswer {
  head: number
  items: {
    name: string
    offset: number
    lag: number
    dead: number
    lastError: string | null
    movedAt: string | null
  }[]
  deadLetters: {
    id: number
    reader: string
    seq: number
    entityId: string
    reason: string
    attempts: number
    parkedAt: string
  }[]
}

/** A reader this far behind works late; below it, it is only working. */
const LAG_LATE = 10_000

class Status {
  readonly counters = resource((signal) =>
    api.get<CountersAnswer>('/counters', undefined, { signal }),
  )
  readonly feeds = resource((signal) =>
    api.get<{ items: FeedView[] }>('/feeds', undefined, { signal }),
  )
  readonly parked = resource((signal) =>
    api.get<ParkedAnswer>('/parked', { limit: 100 }, { signal }),
  )
  readonly readers = resource((signal) => api.get<ReadersAnswer>('/readers', undefined, { signal }))

  readonly balance = $derived(balanceOf(countersFrom(this.counters.data)))
  readonly parkedCount = $derived(
    (this.parked.data?.reasons ?? []).reduce((sum, reason) => sum + reason.count, 0),
  )
  /** What asks for somebody, by section. */
  readonly attention = $derived({
    counters: this.counters.data && !this.balance.balanced ? 1 : 0,
    feeds: (this.feeds.data?.items ?? []).filter((feed) =>
      ['failing', 'resting', 'late'].includes(feed.state),
    ).length,
    parked: this.parkedCount,
    readers:
      (this.readers.data?.items ?? []).filter((reader) => reader.lag > LAG_LATE).length +
      (this.readers.data?.deadLetters.length ?? 0),
  })

  readAgain(): void {
    if (session.may('counter:read')) void this.counters.reload()
    if (session.may('feed:read')) void this.feeds.reload()
    if (session.may('parked:read')) void this.parked.reload()
    if (session.may('reader:read')) void this.readers.reload()
  }

  /** Read until the returned function is called. Nothing is read while the page is hidden. */
  start(): () => void {
    this.readAgain()
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') this.readAgain()
    }, EVERY_MS)
    return () => clearInterval(timer)
  }
}

export const status = new Status()
