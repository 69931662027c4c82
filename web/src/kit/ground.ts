/** The shapes a map stands on, read once for a page from the city. */
import type { FeatureCollection } from 'geojson'
import { api } from './api'
import type { Districts } from './api-types'
import { city } from './city.svelte'
import type { Ground } from './map'

let districts: Promise<Districts> | null = null

/** The districts, read once; a failure is tried again at the next call. */
export function loadDistricts(): Promise<Districts> {
  districts ??= api.get<Districts>('/city/districts').catch((problem: unknown) => {
    districts = null
    throw problem
  })
  return districts
}

/** Buildings are two megabytes: not for a small screen, nor for who asked to save data. */
function wantsBuildings(): boolean {
  const line = (navigator as { connection?: { saveData?: boolean } }).connection
  return matchMedia('(min-width: 48rem)').matches && !line?.saveData
}

/**
 * The ground. `show` is called with more each time shapes arrive, so that a map need not wait for
 * the last. A layer that fails is left out: the map stays of use without a park.
 */
export async function loadGround(show: (ground: Ground) => void = () => {}): Promise<Ground> {
  const info = await city.load()
  let ground: Ground = { basemap: info.basemap }
  const add = (more: Ground) => {
    ground = { ...ground, ...more }
    show(ground)
  }
  const layer = async (name: 'water' | 'parks' | 'buildings') => {
    if (!info.shapes.layers.includes(name)) return
    add({ [name]: await api.get<FeatureCollection>(`/city/layers/${name}`) })
  }
  show(ground)
  await loadDistricts()
    .then((districts) => add({ districts }))
    .catch(() => undefined)
  await Promise.allSettled([layer('water'), layer('parks')])
  if (wantsBuildings()) await layer('buildings').catch(() => undefined)
  return ground
}
