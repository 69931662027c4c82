/**
 * The city's changes as they happen, over server-sent events.
 *
 * `fetch` rather than `EventSource`: it can say where to resume after we gave up ourselves, and it
 * tells a refusal from a lost line.
 */
import type { ClockState, LiveChange } from './api-types'
import { city } from './city.svelte'

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 30_000
const SILENCE_MS = 40_000 // a heartbeat comes every 15 s at the latest: two missed, and it is dead

export type LiveStatus = 'connecting' | 'live' | 'lost' | 'refused'

interface ServerEvent {
  event: string
  data: string
  id: string | null
}

/** Cut a stream of text into server-sent events. */
export function eventParser(emit: (event: ServerEvent) => void): (text: string) => void {
  let rest = ''
  let event = 'message'
  let data: string[] = []
  let id: string | null = null
  const line = (text: string) => {
    if (text === '') {
      if (data.length > 0) emit({ event, data: data.join('\n'), id })
      event = 'message'
      data = []
      return
    }
    const colon = text.indexOf(':')
    if (colon === 0) return // a comment: only a heartbeat
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
    else if (field === 'id') id = value
  }
  return (text) => {
    rest += text
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    lines.forEach(line)
  }
}

export class Live {
  status = $state<LiveStatus>('connecting')
  /** When the line was last heard, by the reader's own watch. */
  heardAt = $state.raw<Date | null>(null)
  /** What is shown may be out of date. */
  stale = $derived(this.status === 'lost' || this.status === 'refused')

  #types: readonly string[]
  #listeners = new Set<(change: LiveChange) => void>()
  #returned = new Set<() => void>()
  #lastId: string | null = null
  #aborter: AbortController | null = null
  #stopped = false
  #interrupted = false

  constructor(types: readonly string[]) {
    this.#types = types
  }

  /** Be told of each change; gives back how to stop being told. */
  onChange(listener: (change: LiveChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Be told when the line is back after a loss: time to read lists again. */
  onReturn(listener: () => void): () => void {
    this.#returned.add(listener)
    return () => this.#returned.delete(listener)
  }

  /** Listen until `stop`. Gives back `stop`, so that an effect can return it. */
  start(): () => void {
    this.#stopped = false
    void this.#run()
    return () => this.stop()
  }

  stop(): void {
    this.#stopped = true
    this.#aborter?.abort()
  }

  async #run(): Promise<void> {
    let wait = FIRST_WAIT_MS
    while (!this.#stopped) {
      const opened = await this.#listen()
      if (this.#stopped || this.status === 'refused') return
      this.status = 'lost'
      this.#interrupted = true
      if (opened) wait = FIRST_WAIT_MS
      await new Promise((resume) => setTimeout(resume, wait))
      wait = Math.min(wait * 2, LONGEST_WAIT_MS)
    }
  }

  /** One connection, until it ends; whether it was opened at all. */
  async #listen(): Promise<boolean> {
    const aborter = new AbortController()
    this.#aborter = aborter
    let watch = setTimeout(() => aborter.abort(), SILENCE_MS)
    try {
      const response = await fetch(`/api/v1/live?types=${this.#types.join(',')}`, {
        headers: {
          Accept: 'text/event-stream',
          ...(this.#lastId ? { 'Last-Event-ID': this.#lastId } : {}),
        },
        signal: aborter.signal,
      })
      if (response.status === 401 || response.status === 403) this.status = 'refused'
      if (!response.ok || !response.body) return false
      this.#open()
      const parse = eventParser((event) => this.#take(event))
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return true
        clearTimeout(watch)
        watch = setTimeout(() => aborter.abort(), SILENCE_MS)
        this.heardAt = new Date()
        parse(value)
      }
    } catch {
      return this.heardAt !== null // the line was cut, or we cut it
    } finally {
      clearTimeout(watch)
    }
  }

  #open(): void {
    this.status = 'live'
    this.heardAt = new Date()
    if (this.#interrupted) this.#returned.forEach((listener) => listener())
    this.#interrupted = false
  }

  #take(event: ServerEvent): void {
    if (event.event === 'clock') {
      city.hear(JSON.parse(event.data) as ClockState)
      return
    }
    if (event.event === 'resync') {
      // More was missed than the city keeps ready: what is shown has to be read again.
      this.#returned.forEach((listener) => listener())
      return
    }
    if (event.event !== 'change') return
    if (event.id) this.#lastId = event.id
    const change = JSON.parse(event.data) as LiveChange
    this.#listeners.forEach((listener) => listener(change))
  }
}

/** A live line for entities of these types; call `start`. */
export function live(types: readonly string[]): Live {
  return new Live(types)
}
