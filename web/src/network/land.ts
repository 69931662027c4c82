/** The quiet ground of a map of many countries: coasts without borders, for no line of ours takes sides. */
import type { FeatureCollection } from 'geojson'
import type { Ground } from '$kit/map'

/** Read when a map is; without it the points stand on an empty sheet. */
export async function loadLand(): Promise<Ground> {
  const read = await import('./coast.json').catch(() => null)
  return read ? { districts: read.default as unknown as FeatureCollection } : {}
}
