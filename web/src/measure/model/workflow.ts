/** The life of a value as the screen offers it; the city decides. Pure. */
import type { Value } from '../types'

export type Act = 'check' | 'return' | 'approve' | 'lock' | 'reopen'

const STEPS: Record<Act, { from: readonly Value['status'][]; permission: string }> = {
  check: { from: ['draft'], permission: 'indicator:check' },
  return: { from: ['checked'], permission: 'indicator:check' },
  approve: { from: ['checked'], permission: 'indicator:approve' },
  lock: { from: ['approved'], permission: 'indicator:approve' },
  reopen: { from: ['approved', 'locked'], permission: 'indicator:approve' },
}

/** What may be done with a value by somebody: nobody checks what he entered himself. */
export function actsOf(
  value: Pick<Value, 'status' | 'author' | 'value' | 'findings'>,
  may: (permission: string) => boolean,
  account: string,
): Act[] {
  return (Object.keys(STEPS) as Act[]).filter((act) => {
    const { from, permission } = STEPS[act]
    if (!from.includes(value.status) || !may(permission)) return false
    if (act !== 'check') return true
    const own = account !== '' && value.author === `account:${account}`
    return !own && !value.findings?.some((finding) => finding.severity === 'error')
  })
}

/** Whether an act asks for a reason: a way back always, a check where something was found. */
export function needsWords(act: Act, value: Pick<Value, 'findings'>): boolean {
  return act === 'return' || act === 'reopen' || (act === 'check' && (value.findings?.length ?? 0) > 0)
}

/** Days after its entry by which a value is to be checked, and by which to be approved. */
export const DUE_DAYS: Partial<Record<Value['status'], number>> = { draft: 14, checked: 30 }

/** When the next step of an entered value is due; null where nobody has to do anything. */
export function dueOf(value: Pick<Value, 'status' | 'method' | 'at'>, now: Date): { day: string; late: boolean } | null {
  const days = value.method === 'computed' ? undefined : DUE_DAYS[value.status]
  if (days === undefined) return null
  const due = new Date(Date.parse(value.at) + days * 86_400_000)
  return { day: due.toISOString().slice(0, 10), late: due < now }
}
