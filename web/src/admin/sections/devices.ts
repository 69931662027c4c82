/** Devices as the registry tells them. */
import type { Words } from '$kit/i18n.svelte'

export interface DeviceView {
  id: string
  name: Words
  profile: string
  codec: string
  entityId: string
  entityType: string
  location: [number, number] | null
  enabled: boolean
  fields: string[]
  periodS: number
  ratePerMinute: number
  heardAt: string | null
  messages: number
}

/** A key in clear, this once. */
export interface DeviceKey {
  device: string
  username: string
  password: string
  clientId: string
  topic: string
}

export interface ProfileView {
  name: string
  title?: Words
  codec: string
  entityType: string
}
