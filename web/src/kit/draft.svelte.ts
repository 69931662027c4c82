/** The draft of a form while it is on the screen: written with each change, offered again the next time. */
import { untrack } from 'svelte'
import { city } from './city.svelte'
import { draftKey, dropDraft, findDraft, keepDraft, type Kept } from './drafts'
import { session } from './session.svelte'

export interface Drafted<T> {
  form: string
  /** Whose form it is: an id; empty for a new one. */
  entity: () => string
  /** The version that the form was filled from. */
  version?: () => number | null
  /** Whether the form is on the screen, filled with what is kept in the city. */
  shown: () => boolean
  read: () => T
  write: (said: T) => void
}

export class Draft<T> {
  /** What was left behind, until the reader continues with it or discards it. */
  left = $state.raw<Kept<T> | null>(null)
  #form: Drafted<T>
  #key = ''
  #pristine = ''

  constructor(form: Drafted<T>) {
    this.#form = form
  }

  /** Somebody changed the entity after the draft was begun. */
  get outdated(): boolean {
    return this.left !== null && this.left.version !== (this.#form.version?.() ?? null)
  }

  continue(): void {
    if (this.left) this.#form.write(this.left.said)
    this.left = null
  }

  /** It was sent, or is not wanted: the form begins anew from what it now shows. */
  forget(): void {
    this.left = null
    this.#pristine = JSON.stringify(this.#form.read())
    if (this.#key) dropDraft(this.#key)
  }

  /** The form came on the screen. */
  begin(): void {
    const account = session.account?.id
    this.#key = account ? draftKey(account, this.#form.form, this.#form.entity()) : ''
    this.#pristine = JSON.stringify(this.#form.read())
    const found = this.#key ? findDraft<T>(this.#key) : null
    const still = found !== null && JSON.stringify(found.said) === this.#pristine
    this.left = still ? null : found
    if (still) this.#pristine = '' // closed and opened again, it holds what was never sent
  }

  /** Something was entered. */
  heard(text: string): void {
    if (!this.#key) return
    if (text !== this.#pristine) {
      const version = this.#form.version?.() ?? null
      keepDraft(this.#key, { at: city.now.toISOString(), version, said: JSON.parse(text) as T })
    } else if (!this.left) dropDraft(this.#key)
  }
}

/** Keep the draft of a form; called once, while its component is made, below what fills the form. */
export function drafted<T>(form: Drafted<T>): Draft<T> {
  const draft = new Draft(form)
  // Read again, the same form is no new one: what was entered stays entered.
  const place = $derived(form.shown() ? form.entity() : null)
  $effect(() => {
    if (place !== null) untrack(() => draft.begin())
  })
  $effect(() => {
    if (!form.shown()) return
    const text = JSON.stringify(form.read())
    untrack(() => draft.heard(text))
  })
  return draft
}
