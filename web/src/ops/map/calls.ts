/** Rings around places that call for an officer: made of the page, so that they cost the map nothing. */
import { Marker, type Map as CityMap } from 'maplibre-gl'
import type { LonLat } from '../model/city'

export interface Call {
  readonly id: string
  readonly at: LonLat
  readonly severity: string
}

/** Brings the rings on the map (`drawn`, by id) to what is wanted; those that stay are not touched. */
export function keepCalls(map: CityMap, drawn: Map<string, Marker>, wanted: readonly Call[]): void {
  const ids = new Set(wanted.map(({ id }) => id))
  for (const [id, marker] of drawn) {
    if (ids.has(id)) continue
    marker.remove()
    drawn.delete(id)
  }
  for (const { id, at, severity } of wanted) {
    if (drawn.has(id)) continue
    const element = document.createElement('div')
    element.className = `call ${severity}`
    drawn.set(id, new Marker({ element }).setLngLat([...at]).addTo(map))
  }
}
