/** The one door to the city's API: JSON in and out, errors as words, a token on unsafe calls. */
import { lang, t } from './i18n.svelte'

const BASE = '/api/v1'
const PATIENCE_MS = 20_000
const UPLOAD_PATIENCE_MS = 120_000 // five photos over a weak 3G line

export type Query = Record<string, string | number | boolean | null | undefined>
type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

export interface Options {
  query?: Query
  signal?: AbortSignal
  /** Sent as Idempotency-Key: the same act heard twice is done once. */
  key?: string
  /** Sent as If-Match: the version that was read; another one is refused. */
  version?: number
}

/** What went wrong, in words a person can use. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail = '',
    readonly hint = '',
    readonly fields: Record<string, string> = {},
  ) {
    super(detail ? `${title} — ${detail}` : title)
  }

  /** The city could not be reached; what was written here is still here. */
  get offline(): boolean {
    return this.code === 'offline' || this.code === 'timeout'
  }

  /** The reader has to sign in, or may not see this. */
  get forbidden(): boolean {
    return this.status === 401 || this.status === 403
  }
}

let csrfToken: string | null = null

/** Keep the token that the session's unsafe calls must carry. */
export function keepCsrf(token: string | null): void {
  csrfToken = token
}

interface ProblemDocument {
  type?: string
  code?: string
  title?: string
  detail?: string
  hint?: string
  errors?: Record<string, string> | { field?: string; detail?: string }[]
}

function fieldsOf(errors: ProblemDocument['errors']): Record<string, string> {
  if (!errors) return {}
  if (!Array.isArray(errors)) return errors
  return Object.fromEntries(errors.map((each) => [each.field ?? '', each.detail ?? '']))
}

function generic(status: number): [string, string] {
  if (status === 401) return [t('kit.problem.401.title'), t('kit.problem.401.detail')]
  if (status === 403) return [t('kit.problem.403.title'), t('kit.problem.403.detail')]
  if (status === 404) return [t('kit.problem.404.title'), t('kit.problem.404.detail')]
  if (status === 413) return [t('kit.problem.413.title'), t('kit.problem.413.detail')]
  if (status === 429) return [t('kit.problem.429.title'), t('kit.problem.429.detail')]
  if (status >= 500) return [t('kit.problem.500.title'), t('kit.problem.500.detail')]
  return [t('kit.problem.other.title'), t('kit.problem.other.detail')]
}

async function problemOf(response: Response): Promise<Problem> {
  const [title, detail] = generic(response.status)
  const isJson = response.headers.get('content-type')?.includes('json')
  const said = isJson ? ((await response.json().catch(() => ({}))) as ProblemDocument) : {}
  return new Problem(
    response.status,
    said.code ?? said.type?.split('/').pop() ?? String(response.status),
    said.title ?? title,
    said.detail ?? (said.title ? '' : detail),
    said.hint ?? '',
    fieldsOf(said.errors),
  )
}

function address(path: string, query: Query | undefined): string {
  const url = path.startsWith('/api/') || path.startsWith('/ngsi-ld/') ? path : BASE + path
  const pairs = Object.entries(query ?? {}).filter(
    (pair): pair is [string, string | number | boolean] => pair[1] !== undefined && pair[1] !== null,
  )
  if (pairs.length === 0) return url
  return `${url}?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`
}

function unreachable(cause: unknown): Problem {
  const late = cause instanceof DOMException && cause.name === 'TimeoutError'
  return late
    ? new Problem(0, 'timeout', t('kit.problem.timeout.title'), t('kit.problem.timeout.detail'))
    : new Problem(0, 'offline', t('kit.problem.offline.title'), t('kit.problem.offline.detail'))
}

async function send(method: Method, path: string, body: unknown, options: Options) {
  const headers = new Headers({ Accept: 'application/json', 'Accept-Language': lang() })
  const isForm = body instanceof FormData || body instanceof Blob
  if (body instanceof Blob) headers.set('Content-Type', body.type || 'application/octet-stream')
  if (body !== undefined && !isForm) headers.set('Content-Type', 'application/json')
  if (method !== 'GET' && csrfToken) headers.set('X-CSRF-Token', csrfToken)
  if (options.key) headers.set('Idempotency-Key', options.key)
  if (options.version !== undefined) headers.set('If-Match', `"${options.version}"`)
  const patience = AbortSignal.timeout(isForm ? UPLOAD_PATIENCE_MS : PATIENCE_MS)
  return fetch(address(path, options.query), {
    method,
    headers,
    credentials: 'same-origin',
    signal: options.signal ? AbortSignal.any([options.signal, patience]) : patience,
    body: body === undefined ? null : isForm ? body : JSON.stringify(body),
  })
}

async function call<T>(method: Method, path: string, body: unknown, options: Options): Promise<T> {
  let response: Response
  let text = ''
  try {
    response = await send(method, path, body, options)
    if (response.ok && response.status !== 204) text = await response.text() // may end half-way
  } catch (cause) {
    if (options.signal?.aborted) throw cause // the caller left: nobody needs words
    throw unreachable(cause)
  }
  if (!response.ok) throw await problemOf(response)
  return (text ? JSON.parse(text) : undefined) as T
}

/** Calls raise `Problem`, whose title, detail and hint are ready to be shown. */
export const api = {
  get: <T>(path: string, query?: Query, options: Options = {}) =>
    call<T>('GET', path, undefined, { ...options, ...(query ? { query } : {}) }),
  post: <T>(path: string, body?: unknown, options: Options = {}) =>
    call<T>('POST', path, body, options),
  /** A file as the body itself. */
  upload: <T = unknown>(path: string, file: Blob, options: Options = {}) =>
    call<T>('POST', path, file, options),
  patch: <T>(path: string, body: unknown, options: Options = {}) =>
    call<T>('PATCH', path, body, options),
  put: <T>(path: string, body: unknown, options: Options = {}) =>
    call<T>('PUT', path, body, options),
  delete: <T = void>(path: string, options: Options = {}) =>
    call<T>('DELETE', path, undefined, options),
}

/** Any thrown thing as a Problem, so that every screen has one shape to show. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  const [title, detail] = [t('kit.problem.broken.title'), t('kit.problem.broken.detail')]
  return new Problem(-1, 'broken', title, detail, thrown instanceof Error ? thrown.message : '')
}
