/** Light, dark, or as the family and the device have it. */
export type ThemeChoice = 'auto' | 'light' | 'dark'

function stored(): ThemeChoice {
  try {
    const kept = localStorage.getItem('theme')
    return kept === 'light' || kept === 'dark' ? kept : 'auto'
  } catch {
    return 'auto' // storage switched off
  }
}

const wantsDark = globalThis.matchMedia?.('(prefers-color-scheme: dark)')

class Theme {
  choice = $state<ThemeChoice>(stored())
  /** Counts up whenever colours may have changed, so that canvases can redraw. */
  version = $state(0)

  constructor() {
    wantsDark?.addEventListener('change', () => this.version++)
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice
    const root = document.documentElement
    try {
      if (choice === 'auto') localStorage.removeItem('theme')
      else localStorage.setItem('theme', choice)
    } catch {
      // storage switched off: it holds for this page
    }
    if (choice === 'auto') delete root.dataset['theme']
    else root.dataset['theme'] = choice
    this.version++
  }

  /** Whether the page is dark now. */
  get dark(): boolean {
    void this.version
    const root = document.documentElement
    if (this.choice !== 'auto') return this.choice === 'dark'
    return root.dataset['family'] === 'operations' || Boolean(wantsDark?.matches)
  }
}

export const theme = new Theme()

/** The value of a design token now, for canvases and maps. */
export function token(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}
