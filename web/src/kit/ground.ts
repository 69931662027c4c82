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

/** The whole ground. A layer that fails is left out: the map stays of use without a park. */
export async function loadGround(): Promise<Ground> {
  const info = await city.load()
  const layer = async (name: string): Promise<FeatureCollection | undefined> => {
    if (!info.shapes.layers.includes(name)) return undefined
    return api.get<FeatureCollection>(`/city/layers/${name}`).catch(() => undefined)
  }
  const [shapes, water, parks, buildings] = await Promise.all([
    loadDistricts().catch(() => undefined),
    layer('water'),
    layer('parks'),
    wantsBuildings() ? layer('buildings') : undefined,
  ])
  return { districts: shapes, water, parks, buildings, basemap: info.basemap }
}
