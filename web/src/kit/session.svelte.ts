/** Who is signed in on this page. */
import { api, keepCsrf } from './api'
import type { Account, Session } from './api-types'
import { dropDrafts } from './drafts'
import { lang } from './i18n.svelte'

class SessionStore {
  account = $state.raw<Account | null>(null)
  permissions = $state.raw<readonly string[]>([])
  /** Whether the server has said who this is. */
  known = $state(false)

  #take(session: Session): void {
    keepCsrf(session.csrf)
    // A session that ran out is no sign-out: who signs in again goes on with the own drafts alone.
    if (session.account) dropDrafts(session.account.id)
    this.account = session.account
    this.permissions = session.permissions ?? []
    this.known = true
  }

  async load(): Promise<Account | null> {
    this.#take(await api.get<Session>('/session'))
    return this.account
  }

  async signIn(username: string, password: string): Promise<void> {
    this.#take(await api.post<Session>('/session', { username, password }))
  }

  /** Open a resident's account of one's own, and sign in with it. */
  async register(username: string, password: string, noticeVersion: string): Promise<void> {
    const body = { username, password, noticeVersion, language: lang() }
    this.#take(await api.post<Session>('/session/register', body))
  }

  async signOut(): Promise<void> {
    await api.delete('/session')
    keepCsrf(null)
    dropDrafts()
    await this.load()
  }

  /** Whether the reader may do something, such as `case:act`. */
  may(permission: string): boolean {
    return this.permissions.includes(permission)
  }

  has(...roles: string[]): boolean {
    return this.account?.roles.some((role) => roles.includes(role)) ?? false
  }
}

export const session = new SessionStore()

/** Leave for the sign-in page, and come back to this one afterwards. */
export function askToSignIn(): void {
  location.assign(signInAddress())
}

export function signInAddress(): string {
  const here = location.pathname + location.search + location.hash
  return `/login?next=${encodeURIComponent(here)}`
}
