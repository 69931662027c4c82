/** Lines of a yearly return as a person reads them: one heading a project or indicator. Pure. */
import type { Line } from '../types'

export interface Subject {
  id: string
  kind: Line['kind']
  lines: Line[]
  missing: number
  unexplained: number
}

export const isMissing = (line: Line): boolean => line.value === null || line.value === ''
/** Missing without a reason: it keeps the return from being sent. */
export const isUnexplained = (line: Line): boolean => isMissing(line) && !line.reason?.trim()

export function subjectsOf(lines: readonly Line[]): Subject[] {
  const found = new Map<string, Subject>()
  for (const line of lines) {
    const id = `${line.kind} ${line.subject}`
    const subject = found.get(id) ?? { id, kind: line.kind, lines: [], missing: 0, unexplained: 0 }
    subject.lines.push(line)
    if (isMissing(line)) subject.missing += 1
    if (isUnexplained(line)) subject.unexplained += 1
    found.set(id, subject)
  }
  return [...found.values()]
}

export interface Edit {
  key: string
  value: string | number | null
  reason: string
}

/** What a person wrote, as the city takes it: numbers as numbers, nothing as nothing. */
export function editOf(line: Line, value: string, reason: string): Edit {
  const said = value.trim()
  const number = Number(said.replace(/[\s,]/g, ''))
  const wantsNumber = typeof line.value === 'number' || typeof line.before === 'number' || line.kind === 'indicator'
  const parsed = said === '' ? null : wantsNumber && Number.isFinite(number) ? number : said
  return { key: line.key, value: parsed, reason: reason.trim() }
}
