/** Who is signed in on this page. */
import { api, keepCsrf } from './api'
import type { Account, Session } from './api-types'

class SessionStore {
  account = $state.raw<Account | null>(null)
  /** Whether the server has said who this is. */
  known = $state(false)

  #take(session: Session): void {
    keepCsrf(session.csrf)
    this.account = session.account
    this.known = true
  }

  async load(): Promise<Account | null> {
    this.#take(await api.get<Session>('/session'))
    return this.account
  }

  async signIn(username: string, password: string): Promise<void> {
    this.#take(await api.post<Session>('/session', { username, password }))
  }

  async signOut(): Promise<void> {
    await api.delete('/session')
    this.#take({ account: null, csrf: null })
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
