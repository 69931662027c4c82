/** The last 24 hours of the measure on the map, and what is drawn of them. */
import { api, asProblem, type Problem } from '$kit/api'
import { city } from '$kit/city.svelte'
import { carried, framesFrom, next, valuesAt, type Frames } from './model/frames'
import { view } from './view.svelte'

const DAY_MS = 24 * 3_600_000
const STEP_S = 3_600
/** One archive hour a second: a day is told in less than half a minute. */
const PLAY_STEP_MS = 900

class History {
  frames = $state.raw<Frames | null>(null)
  problem = $state.raw<Problem | null>(null)
  loading = $state(false)

  /** The instant on the map in city time, null for now. */
  readonly at_ms = $derived(
    view.moment === 'now' ? null : (this.frames?.times_ms[view.moment] ?? null),
  )
  /** What each station said at the moment on the map; null for now. */
  readonly values = $derived(
    view.moment === 'now' || !this.frames ? null : valuesAt(this.frames, view.moment),
  )

  #timer: ReturnType<typeof setInterval> | null = null

  /** Read the day again; the instant on screen stays the same. */
  async read(measure: string): Promise<void> {
    const to = city.now
    this.loading = true
    try {
      const frames = framesFrom(
        measure,
        await api.get(`/measures/${encodeURIComponent(measure)}/frames`, {
          from: new Date(to.getTime() - DAY_MS).toISOString(),
          to: to.toISOString(),
          step: STEP_S,
        }),
      )
      if (this.frames) view.moment = carried(view.moment, this.frames, frames)
      this.frames = frames
      this.problem = null
    } catch (thrown) {
      this.problem = asProblem(thrown)
    } finally {
      this.loading = false
    }
  }

  get count(): number {
    return this.frames?.times_ms.length ?? 0
  }

  play(): void {
    if (this.count === 0) return
    view.playing = true
    view.moment = next(view.moment === 'now' ? 'now' : view.moment, this.count)
    this.#timer ??= setInterval(() => {
      view.moment = next(view.moment, this.count)
      if (view.moment === 'now') this.pause()
    }, PLAY_STEP_MS)
  }

  pause(): void {
    view.playing = false
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }
}

export const history = new History()
