/** Whether a device speaks, and how often. Time is an argument. */

export interface Heard {
  readonly messages: number
  readonly at_ms: number
}

export type DeviceState = 'on' | 'silent' | 'new' | 'off'

interface Known {
  readonly enabled: boolean
  readonly heardAt: string | null
  readonly periodS: number
}

/** One lost message is not silence; three are. */
const SILENT_PERIODS = 3

export function stateOf(device: Known, now_ms: number): DeviceState {
  if (!device.enabled) return 'off'
  if (device.heardAt === null) return 'new'
  const silence_s = (now_ms - Date.parse(device.heardAt)) / 1000
  return silence_s > SILENT_PERIODS * device.periodS ? 'silent' : 'on'
}

/** Messages a minute between two looks; null where there was no look before, or no time between. */
export function perMinute(before: Heard | undefined, now: Heard): number | null {
  if (!before || now.at_ms <= before.at_ms || now.messages < before.messages) return null
  return ((now.messages - before.messages) * 60_000) / (now.at_ms - before.at_ms)
}
