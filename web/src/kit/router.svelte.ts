/**
 * Where in a page the reader is: the part of the address after `#`.
 *
 * It never reaches a server or its logs, which suits tracking codes; and a page is one file.
 */
class Route {
  path = $state(read())
  parts = $derived(this.path.split('/').filter(Boolean).map(decodeURIComponent))

  constructor() {
    globalThis.addEventListener?.('hashchange', () => {
      this.path = read()
      globalThis.scrollTo?.(0, 0)
    })
  }
}

function read(): string {
  return (globalThis.location?.hash ?? '').replace(/^#\/?/, '').split('?')[0] ?? ''
}

export const route = new Route()

/** The address of a place in this page: `place('case', id)` gives `#/case/…`. */
export function place(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`
}

export function go(...parts: string[]): void {
  location.hash = place(...parts)
}
