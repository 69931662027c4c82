/** What the routes of the federation send (docs/reference/federation.md). Times are ISO 8601 in UTC. */
import type { Instant } from '$kit/api-types'

export type MatterKind = 'incident' | 'call'

export interface MatterStep {
  n: number
  status: string
  /** An office of this house, `system`, or `peer:office`. */
  who: string
  at: Instant
}

/** An incident raised to the upper level or a call passed down, as this side knows it. */
export interface Matter {
  id: string
  kind: MatterKind
  peer: string
  ours: boolean
  status: string
  body: {
    reason?: string
    type?: string
    attrs?: Record<string, { value?: unknown; languageMap?: Record<string, string> }>
    category?: string
    severity?: string
    title?: Record<string, string>
    district?: string
  }
  entity: string | null
  caseId: string | null
  at: Instant
  changedAt: Instant
  steps: MatterStep[]
}

/** How this installation stands with another. */
export interface Link {
  peer: string
  name: string
  side: 'upper' | 'member'
  carrier: 'https' | 'nats' | 'file'
  status: string
  sent: number
  received: number
  waiting: number
  unacknowledged: number
  lagS: number
  heardAt: Instant | null
  failures: number
  trouble: string | null
  digest: string
}

export interface Federation {
  city: string
  kid: string
  links: Link[]
  counters: Record<string, number>
}
