/** A project or plan as a form holds it, and as it is sent: nothing empty, numbers as numbers. Pure. */

/** One row of a list in a form. */
export type Row = Record<string, unknown>
export type Kind = 'text' | 'long' | 'number' | 'date' | 'choice' | 'many' | 'words'

/** One question of each row. */
export interface Column {
  key: string
  label: string
  kind: Kind
  options?: { value: string; label: string }[]
  required?: boolean
  hint?: string
  /** A choice among numbers. */
  numeric?: boolean
}

/** A number as people type it: "1,250.5", "1 250", "๑๒". Null where it is none. */
export function numberOf(said: unknown): number | null {
  if (typeof said === 'number') return Number.isFinite(said) ? said : null
  const digits = String(said ?? '')
    .replace(/[๐-๙]/g, (digit) => String(digit.charCodeAt(0) - 0x0e50))
    .replace(/[\s_]/g, '')
  const text = /^-?\d{1,3}(,\d{3})+(\.\d+)?$/.test(digits) ? digits.replace(/,/g, '') : digits.replace(',', '.')
  return text === '' || Number.isNaN(Number(text)) ? null : Number(text)
}

/** A year by either calendar: 2568 is 2025. */
export function yearOf(said: unknown): number | null {
  const year = numberOf(said)
  if (year === null) return null
  return year > 2200 ? year - 543 : year
}

/** Paragraphs of a text in which each line is one. */
export const linesOf = (text: unknown): string[] =>
  String(text ?? '').split('\n').map((line) => line.trim()).filter(Boolean)

/** Words by language, without those that are empty. */
export function wordsOf(said: unknown): Record<string, string> | undefined {
  const pairs = Object.entries((said ?? {}) as Record<string, unknown>)
    .map(([language, text]) => [language, String(text ?? '').trim()] as const)
    .filter(([, text]) => text)
  return pairs.length ? Object.fromEntries(pairs) : undefined
}

/** A text by language, to be edited. */
export const textsOf = (said: unknown): Record<string, string> =>
  typeof said === 'object' && said !== null ? { ...(said as Record<string, string>) } : {}

function cellOf(column: Column, said: unknown): unknown {
  if (column.kind === 'number' || column.numeric) return numberOf(said) ?? undefined
  if (column.kind === 'words') return wordsOf(said)
  if (column.kind === 'many') return Array.isArray(said) && said.length ? said : undefined
  const text = String(said ?? '').trim()
  return text || undefined
}

const YEARS = new Set(['year', 'priceYear'])

/** Rows as they are sent. A row in which nothing is said is left out; what no column shows is kept. */
export function rowsOf(columns: readonly Column[], rows: readonly Row[]): Row[] {
  const shown = new Set(columns.map((column) => column.key))
  return rows
    .map((row) => {
      const cells = columns
        .map((column) => [column.key, YEARS.has(column.key) ? (yearOf(row[column.key]) ?? undefined) : cellOf(column, row[column.key])] as const)
        .filter(([, value]) => value !== undefined)
      const rest = Object.entries(row).filter(([key, value]) => !shown.has(key) && value !== null && value !== undefined && key !== 'reading')
      return { said: cells.some(([key]) => !isChoice(columns, key)), row: Object.fromEntries([...rest, ...cells]), rest }
    })
    .filter(({ said, rest }) => said || rest.length > 0)
    .map(({ row }) => row)
}

const isChoice = (columns: readonly Column[], key: string) => columns.find((column) => column.key === key)?.kind === 'choice'

/** What is missing or no number: `list.row.key` → what is wrong. */
export type Wrong = Record<string, 'missing' | 'number'>

export function wrongIn(list: string, columns: readonly Column[], rows: readonly Row[]): Wrong {
  const wrong: Wrong = {}
  const given = (column: Column, row: Row) => cellOf(column, row[column.key]) !== undefined
  rows.forEach((row, index) => {
    const begun = columns.some((column) => column.kind !== 'choice' && given(column, row))
    for (const column of columns) {
      const said = String(row[column.key] ?? '').trim()
      if (column.kind === 'number' && said && numberOf(said) === null) wrong[`${list}.${index}.${column.key}`] = 'number'
      else if (begun && column.required && !given(column, row)) wrong[`${list}.${index}.${column.key}`] = 'missing'
    }
  })
  return wrong
}

/** Flows of money: in the form a row a year, as they are sent a list of each kind. */
export const FLOW_KINDS = ['capital', 'operating', 'revenue', 'benefits'] as const
export type FlowKind = (typeof FLOW_KINDS)[number]
export type FlowRow = Record<FlowKind, string | number>

export function flowRows(flows: Partial<Record<FlowKind, readonly number[]>> | null | undefined): FlowRow[] {
  const years = Math.max(0, ...FLOW_KINDS.map((kind) => flows?.[kind]?.length ?? 0))
  return Array.from({ length: years }, (_, n) => Object.fromEntries(FLOW_KINDS.map((kind) => [kind, flows?.[kind]?.[n] ?? ''])) as FlowRow)
}

/** The list of one kind up to its last figure; a year without a figure in between is nothing. */
export function flowList(rows: readonly FlowRow[], kind: FlowKind): number[] {
  const figures = rows.map((row) => numberOf(row[kind]))
  while (figures.length && figures.at(-1) === null) figures.pop()
  return figures.map((figure) => figure ?? 0)
}

/** Days from today to a day; below nought: it is past. */
export function daysTo(day: string, today: Date): number {
  return Math.round((Date.parse(`${day}T00:00:00Z`) - Date.parse(`${today.toISOString().slice(0, 10)}T00:00:00Z`)) / 86_400_000)
}
