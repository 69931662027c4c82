/** Where to go after signing in: an address of this city that was asked for, else its front page. */
export function nextAddress(search: string, origin: string): string {
  const asked = new URLSearchParams(search).get('next') ?? '/'
  try {
    const url = new URL(asked, origin)
    // Only here: a link must not send anybody elsewhere with our page as the door.
    return url.origin === origin ? url.pathname + url.search + url.hash : '/'
  } catch {
    return '/'
  }
}
