/** A long list, read page by page: the first with the place, the next when the reader asks. */
import type { List } from '$kit/api-types'
import { Resource } from '$kit/resource.svelte'
import { asProblem } from '$kit/api'
import { toasts } from '$kit/toast.svelte'

/** As much as one looks through; the list of a year of the network is shorter. */
export const PAGE_ROWS = 500

export class Pages<T, L extends List<T> = List<T>> {
  readonly first: Resource<L>
  busy = $state(false)
  #later = $state.raw<T[]>([])
  #next = $state.raw<string | null>(null)
  #ask: (after: string | null, signal?: AbortSignal) => Promise<L>

  constructor(ask: (after: string | null, signal?: AbortSignal) => Promise<L>) {
    this.#ask = ask
    this.first = new Resource<L>(async (signal) => {
      const page = await ask(null, signal)
      this.#later = []
      this.#next = page.next ?? null
      return page
    })
  }

  get items(): T[] {
    return [...(this.first.data?.items ?? []), ...this.#later]
  }

  /** Whether there is more than was read. */
  get more(): boolean {
    return this.#next !== null
  }

  async read(): Promise<void> {
    const [after, first] = [this.#next, this.first.data]
    if (!after) return
    this.busy = true
    try {
      const page = await this.#ask(after)
      if (this.first.data !== first) return // the question has changed meanwhile
      this.#later = [...this.#later, ...page.items]
      this.#next = page.next ?? null
    } catch (thrown) {
      toasts.problem(asProblem(thrown))
    } finally {
      this.busy = false
    }
  }
}
