/** The keyboard of the operations centre: one table, read by the handler and by the help. */

export type Action =
  | 'help'
  | 'next'
  | 'previous'
  | 'open'
  | 'close'
  | 'alerts'
  | 'cases'
  | 'stations'
  | 'districts'
  | 'acknowledge'
  | 'resolve'
  | 'play'
  | 'stepBack'
  | 'stepForth'
  | 'now'
  | 'fit'
  | 'theme'

export interface Shortcut {
  readonly action: Action
  /** As `KeyboardEvent.key` names it; letters in lower case. */
  readonly key: string
  /** As printed in the help. */
  readonly shown: string
  readonly group: 'lists' | 'selected' | 'time' | 'screen'
}

export const SHORTCUTS: readonly Shortcut[] = [
  { action: 'alerts', key: '1', shown: '1', group: 'lists' },
  { action: 'cases', key: '2', shown: '2', group: 'lists' },
  { action: 'stations', key: '3', shown: '3', group: 'lists' },
  { action: 'districts', key: '4', shown: '4', group: 'lists' },
  { action: 'next', key: 'j', shown: 'J', group: 'lists' },
  { action: 'previous', key: 'k', shown: 'K', group: 'lists' },
  { action: 'acknowledge', key: 'a', shown: 'A', group: 'selected' },
  { action: 'resolve', key: 'r', shown: 'R', group: 'selected' },
  { action: 'close', key: 'Escape', shown: 'Esc', group: 'selected' },
  { action: 'play', key: 'p', shown: 'P', group: 'time' },
  { action: 'stepBack', key: ',', shown: ',', group: 'time' },
  { action: 'stepForth', key: '.', shown: '.', group: 'time' },
  { action: 'now', key: 'n', shown: 'N', group: 'time' },
  { action: 'fit', key: 'f', shown: 'F', group: 'screen' },
  { action: 'theme', key: 't', shown: 'T', group: 'screen' },
  { action: 'help', key: '?', shown: '?', group: 'screen' },
]

/**
 * The keys of the Thai Kedmanee layout that lie where the Latin ones are, so that an officer who
 * types Thai does not have to switch his keyboard.
 */
const KEDMANEE: Readonly<Record<string, string>> = {
  ๅ: '1',
  '/': '2',
  '-': '3',
  ภ: '4',
  '่': 'j',
  า: 'k',
  ฟ: 'a',
  พ: 'r',
  ย: 'p',
  ม: ',',
  ใ: '.',
  'ื': 'n',
  ด: 'f',
  ะ: 't',
  ฦ: '?',
}

export interface Pressed {
  readonly key: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
}

/** The action of a key press, or null. In a field only Escape acts: letters belong to the text. */
export function actionFor(pressed: Pressed, inField: boolean): Action | null {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null
  const raw = pressed.key.length === 1 ? pressed.key.toLowerCase() : pressed.key
  if (inField && raw !== 'Escape') return null
  const direct = SHORTCUTS.find((s) => s.key === raw)
  if (direct) return direct.action
  const latin = KEDMANEE[raw]
  return SHORTCUTS.find((s) => s.key === latin)?.action ?? null
}
