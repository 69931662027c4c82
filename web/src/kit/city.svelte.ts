/** The city this page shows, and its clock: the time of the readings, which may be replayed. */
import { api, asProblem } from './api'
import type { City, ClockState } from './api-types'

const TICK_MS = 1000
const KEPT = 'city'

/** The city's lasting facts as last read here; never its clock, lest an old hour look like now. */
function keptInfo(): City | null {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? 'null') as City | null
  } catch {
    return null // nothing kept, or storage switched off
  }
}

function keep(info: City): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify(info))
  } catch {
    // storage is full or switched off: the page works with a line
  }
}

class CityStore {
  /** What GET /api/v1/city said; null until it has. */
  info = $state.raw<City | null>(null)
  /** The city's time, moved on each second at the city's own speed. */
  now = $state.raw(new Date())
  clock = $state.raw<ClockState | null>(null)
  timeZone = $derived(this.info?.timeZone ?? 'Asia/Bangkok')

  #heardAt = 0
  #ticking = false

  /**
   * Read the city once for this page; later calls share the first answer, or try again.
   *
   * Without a line the facts last read here serve: names and categories hold for weeks, and a
   * report can be written. There is no clock then.
   */
  async load(): Promise<City> {
    if (this.info && this.clock) return this.info
    try {
      const info = await api.get<City>('/city')
      this.info = info
      this.hear(info.clock)
      keep(info)
      return info
    } catch (problem) {
      const kept = this.info ?? keptInfo()
      if (!kept || !asProblem(problem).offline) throw problem
      this.info = kept
      return kept
    }
  }

  /** Set the clock by what the server says, in an answer or on the live stream. */
  hear(clock: ClockState): void {
    this.clock = { ...clock, paused: clock.paused ?? this.clock?.paused ?? false }
    this.#heardAt = performance.now()
    this.now = new Date(clock.now)
    if (this.#ticking) return
    this.#ticking = true
    setInterval(() => this.#tick(), TICK_MS)
  }

  /**
   * How long to wait (milliseconds) before reading again what changes every `period_s` seconds of
   * the city's time: sooner where the clock is replayed faster than life.
   */
  pace_ms(period_s: number): number {
    const speed = this.clock?.speed ?? 1
    return Math.min(60_000, Math.max(5_000, (period_s * 1000) / Math.max(1, speed)))
  }

  #tick(): void {
    const clock = this.clock
    if (!clock || clock.paused) return
    const elapsed = performance.now() - this.#heardAt
    this.now = new Date(new Date(clock.now).getTime() + elapsed * clock.speed)
  }
}

export const city = new CityStore()
