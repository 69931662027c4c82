/** Sends what waits on this phone as soon as there is a line. */
import { api, asProblem, type Problem, type Sent } from '$kit'
import { afterSending, dropDraft, isBegun, keepDraft, listDrafts, newDraft, type Draft } from './drafts'
import { lang } from '$kit'

const AGAIN_MS = 30_000

function form(draft: Draft): FormData {
  const data = new FormData()
  data.set('category', draft.category)
  data.set('lon', String(draft.lon))
  data.set('lat', String(draft.lat))
  data.set('words', draft.words)
  data.set('language', draft.language)
  data.set('consent', 'true')
  if (draft.noticeVersion) data.set('noticeVersion', draft.noticeVersion)
  if (draft.name) data.set('name', draft.name)
  if (draft.contact) data.set('contact', draft.contact)
  draft.photos.forEach((photo, index) => data.append('photos', photo, `photo-${index + 1}.jpg`))
  return data
}

class Outbox {
  /** All reports of this phone, newest first. */
  list = $state.raw<Draft[]>([])
  /** Where nothing can be kept (a private window), reports live as long as the page. */
  storable = $state(true)
  #flushing: Promise<void> | null = null

  waiting = $derived(this.list.filter((draft) => draft.state === 'waiting'))
  sent = $derived(this.list.filter((draft) => draft.state === 'sent'))

  async load(): Promise<void> {
    try {
      this.#show(await listDrafts())
    } catch {
      this.storable = false
    }
  }

  #show(drafts: Draft[]): void {
    this.list = drafts.toSorted((one, other) => other.startedAt.localeCompare(one.startedAt))
  }

  async keep(draft: Draft): Promise<void> {
    const plain = $state.snapshot(draft) as Draft
    this.#show([...this.list.filter((each) => each.id !== plain.id), plain])
    try {
      await keepDraft(plain)
    } catch {
      this.storable = false
    }
  }

  async drop(id: string): Promise<void> {
    this.#show(this.list.filter((draft) => draft.id !== id))
    await dropDraft(id).catch(() => undefined) // what cannot be kept need not be dropped
  }

  /** The report begun and not finished, or a new one. */
  begun(): Draft {
    const open = this.list.find((draft) => draft.state === 'draft' || draft.state === 'refused')
    if (open && isBegun(open)) return open
    return newDraft(crypto.randomUUID(), new Date().toISOString(), lang())
  }

  /** Send one now. A lost line leaves it waiting; a refusal leaves it to be corrected. */
  async send(draft: Draft): Promise<Draft> {
    await this.keep({ ...draft, state: 'waiting', refusal: '' })
    try {
      const sent = await api.post<Sent>('/reports', form(draft), { key: draft.id })
      const done = afterSending(draft, sent)
      await this.keep(done)
      return done
    } catch (thrown) {
      const problem = asProblem(thrown)
      const kept = this.#after(draft, problem)
      await this.keep(kept)
      if (kept.state === 'refused') throw problem
      return kept
    }
  }

  #after(draft: Draft, problem: Problem): Draft {
    const later = problem.offline || problem.status >= 500 || problem.status === 429
    if (later) return { ...draft, state: 'waiting', refusal: '' }
    const refusal = [problem.title, problem.detail, problem.hint].filter(Boolean).join(' ')
    return { ...draft, state: 'refused', refusal }
  }

  /** Try everything that waits, one after the other. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => (this.#flushing = null))
    return this.#flushing
  }

  async #flushAll(): Promise<void> {
    for (const draft of this.waiting) await this.send(draft).catch(() => undefined)
  }

  /** Watch for the line; gives back how to stop. */
  watch(): () => void {
    const flush = () => void this.flush()
    addEventListener('online', flush)
    const timer = setInterval(() => this.waiting.length > 0 && flush(), AGAIN_MS)
    return () => {
      removeEventListener('online', flush)
      clearInterval(timer)
    }
  }
}

export const outbox = new Outbox()
