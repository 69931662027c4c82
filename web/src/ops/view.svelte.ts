/** What the officer has chosen to see. The address keeps what is selected; the browser the rest. */
import { go, route } from '$kit/router.svelte'
import type { Action } from './model/keys'
import type { Moment } from './model/frames'

export type Tab = 'alerts' | 'cases' | 'stations' | 'districts'
export type Kind = 'alert' | 'case' | 'station' | 'district'

export interface Selection {
  readonly kind: Kind
  readonly id: string
}

const KINDS: readonly string[] = ['alert', 'case', 'station', 'district']
const KEPT = 'ops.view'

interface Kept {
  stationMeasure: string
  districtMeasure: string
  alerts: boolean
  cases: boolean
  labels: boolean
}

const FIRST: Kept = {
  stationMeasure: 'pm25',
  districtMeasure: '',
  alerts: true,
  cases: true,
  labels: true,
}

function kept(): Kept {
  try {
    return { ...FIRST, ...(JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Partial<Kept>) }
  } catch {
    return FIRST // storage switched off, or written by something else
  }
}

class View {
  tab = $state<Tab>('alerts')
  moment = $state<Moment>('now')
  playing = $state(false)
  helping = $state(false)
  /** Counts up to ask the map to show the whole city. */
  fitAsked = $state(0)
  /** Counts up, with the act, to ask the open alert's form for it. */
  actAsked = $state.raw<{ act: 'acknowledge' | 'resolve'; count: number }>({
    act: 'acknowledge',
    count: 0,
  })
  choice = $state<Kept>(kept())

  readonly selection = $derived.by((): Selection | null => {
    const [kind, id] = route.parts
    return kind && id && KINDS.includes(kind) ? { kind: kind as Kind, id } : null
  })

  select(kind: Kind, id: string): void {
    go(kind, id)
  }

  close(): void {
    go()
  }

  /** Remember the choice of measures and layers on this device. */
  keep(): void {
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.choice))
    } catch {
      // storage switched off: the choice holds for this page
    }
  }

  ask(act: Extract<Action, 'acknowledge' | 'resolve'>): void {
    this.actAsked = { act, count: this.actAsked.count + 1 }
  }
}

export const view = new View()
