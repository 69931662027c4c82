/**
 * A city's own basemap, when it has one: vector tiles in one PMTiles file, read by ranges.
 *
 * Layers are looked for under the names of the Protomaps basemap schema (earth, water, landuse,
 * roads, boundaries); whatever a file lacks is left out. Never needed: the ground draws without it.
 */
import * as maplibre from 'maplibre-gl'
import type { LayerSpecification } from 'maplibre-gl'
import { PMTiles, Protocol } from 'pmtiles'
import { token } from './theme.svelte'

const SOURCE = 'basemap'
let protocol: Protocol | null = null

function basemapLayers(): LayerSpecification[] {
  const layer = (name: string) => ({ source: SOURCE, 'source-layer': name })
  return [
    { id: 'base-earth', type: 'fill', ...layer('earth'), paint: { 'fill-color': token('--map-land') } },
    {
      id: 'base-green',
      type: 'fill',
      ...layer('landuse'),
      filter: ['in', ['get', 'kind'], ['literal', ['park', 'forest', 'grass', 'garden', 'nature_reserve']]],
      paint: { 'fill-color': token('--map-park') },
    },
    { id: 'base-water', type: 'fill', ...layer('water'), paint: { 'fill-color': token('--map-water') } },
    {
      id: 'base-roads',
      type: 'line',
      ...layer('roads'),
      minzoom: 9,
      paint: {
        'line-color': token('--map-line'),
        'line-opacity': 0.7,
        'line-width': ['interpolate', ['exponential', 1.6], ['zoom'], 9, 0.3, 14, 1.5, 18, 8],
      },
    },
  ]
}

/** Lay the basemap under everything else. Raises nothing: a map without it is still a map. */
export async function layBasemap(map: maplibre.Map, address: string): Promise<void> {
  const url = new URL(address, location.href).href
  if (!protocol) {
    protocol = new Protocol()
    maplibre.addProtocol('pmtiles', protocol.tile)
  }
  protocol.add(new PMTiles(url))
  if (!map.getSource(SOURCE)) map.addSource(SOURCE, { type: 'vector', url: `pmtiles://${url}` })
  const above = map.getStyle().layers.find(({ id }) => id !== 'paper' && !id.startsWith('base-'))?.id
  for (const layer of basemapLayers()) {
    if (map.getLayer(layer.id)) {
      for (const [name, value] of Object.entries(layer.paint ?? {})) {
        map.setPaintProperty(layer.id, name as 'fill-color', value)
      }
    } else map.addLayer(layer, above)
  }
}
