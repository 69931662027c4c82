/** Something read from the city that a screen shows: empty, loading, full, stale or broken. */
import { asProblem, type Problem } from './api'

const SKELETON_AFTER_MS = 300 // before that a skeleton is only a flicker

export class Resource<T> {
  data = $state.raw<T | undefined>(undefined)
  /** Why the last reading failed; older data stays beside it. */
  problem = $state.raw<Problem | null>(null)
  loading = $state(false)
  /** Show a skeleton: nothing to show yet, and it takes a while. */
  slow = $state(false)

  #read: (signal: AbortSignal) => Promise<T>
  #aborter: AbortController | null = null
  #queued = false
  #lastReload = 0

  constructor(read: (signal: AbortSignal) => Promise<T>) {
    this.#read = read
  }

  /** Read it (again). A reading still under way is given up. */
  async reload(): Promise<void> {
    this.#aborter?.abort()
    const aborter = new AbortController()
    this.#aborter = aborter
    this.loading = true
    this.#lastReload = Date.now()
    const timer = setTimeout(() => (this.slow = this.data === undefined), SKELETON_AFTER_MS)
    try {
      const data = await this.#read(aborter.signal)
      if (aborter.signal.aborted) return
      this.data = data
      this.problem = null
    } catch (thrown) {
      if (aborter.signal.aborted) return
      this.problem = asProblem(thrown)
    } finally {
      clearTimeout(timer)
      if (this.#aborter === aborter) {
        this.loading = false
        this.slow = false
      }
    }
  }

  /** Read again soon, at most once per interval however often it is asked: for live hints. */
  refresh(interval_ms = 1500): void {
    if (this.#queued) return
    this.#queued = true
    const wait = Math.max(0, this.#lastReload + interval_ms - Date.now())
    setTimeout(() => {
      this.#queued = false
      void this.reload()
    }, wait)
  }

  /** Forget what was read, as when the question changes. */
  clear(): void {
    this.#aborter?.abort()
    this.data = undefined
    this.problem = null
    this.loading = false
    this.slow = false
  }

  /** Stop a reading under way. */
  stop(): void {
    this.#aborter?.abort()
  }
}

/** Something to be read from the city; it is read when `reload` is called. */
export function resource<T>(read: (signal: AbortSignal) => Promise<T>): Resource<T> {
  return new Resource(read)
}
