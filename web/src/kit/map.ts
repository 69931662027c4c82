/** What a map shows, and the quiet ground under it. No tiles are needed, nor a basemap. */
import type { Feature, FeatureCollection, Point } from 'geojson'
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl'
import { words } from './i18n.svelte'
import type { Landmark } from './landmarks'
import { token } from './theme.svelte'

export interface MapPoint {
  id: string
  lon: number
  lat: number
  /** A colour as CSS writes it. */
  color: string
  /** Written in the mark: "37", or nothing. */
  text?: string
  /** Written beside the mark, where there is room, if the layer is `named`. */
  name?: string
  /** Spoken and shown on hover and tap: the same facts as the list beside the map. */
  label: string
  /** How grave, for the colour of a cluster: 0 is mildest. */
  rank?: number
  /** Shown faded: older than it should be. */
  stale?: boolean
}

export interface PointLayer {
  kind: 'points'
  id: string
  /** A shape for each kind of thing, so that colour never speaks alone. */
  shape: 'circle' | 'square' | 'triangle'
  points: readonly MapPoint[]
  /** Draw near ones as one mark with their count, in the colour of the gravest. */
  cluster?: boolean
  /** Colours by rank, for clusters. */
  rankColors?: readonly string[]
  /** Names stand beside the marks: where the ground has no names of its own. */
  named?: boolean
  hidden?: boolean
}

export interface FillLayer {
  kind: 'fills'
  id: string
  shapes: FeatureCollection
  /** The property of a shape that `colors` and selections are keyed by. */
  key: string
  colors: Record<string, string>
  labels: Record<string, string>
  opacity?: number
  hidden?: boolean
}

export type MapLayer = PointLayer | FillLayer

/** Shapes under the data. Each may be missing. */
export interface Ground {
  districts?: FeatureCollection | undefined
  water?: FeatureCollection | undefined
  parks?: FeatureCollection | undefined
  buildings?: FeatureCollection | undefined
  /** Places everybody knows, named on the map when it is near enough. */
  landmarks?: readonly Landmark[] | undefined
  /** Address of a PMTiles file with vector tiles, when the city has one. */
  basemap?: string | null | undefined
}

export const NOTHING: FeatureCollection = { type: 'FeatureCollection', features: [] }
export const FONT = ['Noto Sans Variable, Noto Sans Thai Variable, sans-serif']
const RADIUS_PX = 9
const CLUSTER_RADIUS_PX = 44

/** An empty sheet in the colour of the ground; layers come on top as they arrive. */
export function emptyStyle(): StyleSpecification {
  return {
    version: 8,
    sources: {},
    layers: [{ id: 'paper', type: 'background', paint: { 'background-color': token('--map-ground') } }],
  }
}

/** The layers of the ground, in the colours of the theme. */
export function groundLayers(): LayerSpecification[] {
  return [
    {
      id: 'districts-land',
      source: 'districts',
      type: 'fill',
      paint: { 'fill-color': token('--map-land') },
    },
    { id: 'parks', source: 'parks', type: 'fill', paint: { 'fill-color': token('--map-park') } },
    {
      id: 'water',
      source: 'water',
      type: 'fill',
      filter: ['==', ['geometry-type'], 'Polygon'],
      paint: { 'fill-color': token('--map-water') },
    },
    {
      id: 'water-lines',
      source: 'water',
      type: 'line',
      filter: ['==', ['geometry-type'], 'LineString'],
      paint: { 'line-color': token('--map-water'), 'line-width': 2 },
    },
    {
      id: 'buildings',
      source: 'buildings',
      type: 'fill',
      minzoom: 14,
      paint: { 'fill-color': token('--map-building') },
    },
    {
      id: 'districts-line',
      source: 'districts',
      type: 'line',
      paint: { 'line-color': token('--map-line'), 'line-width': 1 },
    },
  ]
}

/** District names, drawn above everything that is coloured and below what is marked. */
export function nameLayer(): LayerSpecification {
  return {
    id: 'district-names',
    source: 'district-names',
    type: 'symbol',
    minzoom: 10,
    layout: {
      'text-field': ['get', 'name'],
      'text-font': FONT,
      'text-size': 12,
      'text-padding': 6,
      'text-max-width': 8,
    },
    paint: {
      'text-color': token('--map-label'),
      'text-halo-color': token('--map-land'),
      'text-halo-width': 1.5,
    },
  }
}

/** Landmarks: a dot and a name, from where streets would be seen. */
export function landmarkLayers(): LayerSpecification[] {
  return [
    {
      id: 'landmark-dots',
      source: 'landmarks',
      type: 'circle',
      minzoom: 11.5,
      paint: {
        'circle-radius': 3,
        'circle-color': token('--map-land'),
        'circle-stroke-color': token('--map-label'),
        'circle-stroke-width': 1.5,
      },
    },
    {
      id: 'landmark-names',
      source: 'landmarks',
      type: 'symbol',
      minzoom: 12.5,
      layout: {
        'text-field': ['get', 'name'],
        'text-font': FONT,
        'text-size': 11,
        'text-anchor': 'top',
        'text-offset': [0, 0.5],
        'text-max-width': 9,
        'text-padding': 4,
      },
      paint: {
        'text-color': token('--map-label'),
        'text-halo-color': token('--map-land'),
        'text-halo-width': 1.5,
      },
    },
  ]
}

export function landmarkFeatures(landmarks: readonly Landmark[]): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: landmarks.map((each) => ({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [each.lon, each.lat] },
      properties: { name: words(each.name) },
    })),
  }
}

export function pointFeatures(layer: PointLayer): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: layer.points.map(
      (point): Feature<Point> => ({
        type: 'Feature',
        geometry: { type: 'Point', coordinates: [point.lon, point.lat] },
        properties: {
          id: point.id,
          color: point.color,
          text: point.text ?? '',
          name: point.name ?? '',
          label: point.label,
          rank: point.rank ?? 0,
          stale: point.stale ?? false,
        },
      }),
    ),
  }
}

export function pointSource(layer: PointLayer) {
  return {
    type: 'geojson' as const,
    data: pointFeatures(layer),
    cluster: layer.cluster ?? false,
    clusterRadius: CLUSTER_RADIUS_PX,
    clusterMaxZoom: 14,
    clusterProperties: { rank: ['max', ['get', 'rank']] },
  }
}

function clusterColor(colors: readonly string[]): ExpressionSpecification | string {
  const last = colors[colors.length - 1] ?? token('--mark-info')
  if (colors.length < 2) return last
  const pairs = colors.slice(0, -1).flatMap((color, rank) => [rank, color])
  return ['match', ['get', 'rank'], ...pairs, last] as unknown as ExpressionSpecification
}

const FADED: ExpressionSpecification = ['case', ['get', 'stale'], 0.45, 1]

function marks(layer: PointLayer, dark: boolean): LayerSpecification[] {
  const ring = dark ? '#0c1412' : '#ffffff'
  const single: ExpressionSpecification = ['!', ['has', 'point_count']]
  if (layer.shape === 'circle') {
    return [
      {
        id: layer.id,
        source: layer.id,
        type: 'circle',
        filter: single,
        paint: {
          'circle-color': ['get', 'color'],
          'circle-radius': ['case', ['==', ['get', 'text'], ''], RADIUS_PX - 2, RADIUS_PX + 3],
          'circle-stroke-width': 1.5,
          'circle-stroke-color': ring,
          'circle-opacity': FADED,
        },
      },
      {
        id: `${layer.id}-text`,
        source: layer.id,
        type: 'symbol',
        filter: single,
        layout: {
          'text-field': ['get', 'text'],
          'text-font': FONT,
          'text-size': 11,
          'text-allow-overlap': true,
        },
        paint: { 'text-color': '#10201b', 'text-opacity': FADED },
      },
    ]
  }
  return [
    {
      id: layer.id,
      source: layer.id,
      type: 'symbol',
      filter: single,
      layout: {
        'icon-image': ['concat', `${layer.shape}:`, ['get', 'color']],
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
      },
      paint: { 'icon-opacity': FADED },
    },
  ]
}

/** The drawn layers of a set of points, lowest first. */
export function pointLayers(layer: PointLayer, dark: boolean): LayerSpecification[] {
  const grouped: LayerSpecification[] = layer.cluster
    ? [
        {
          id: `${layer.id}-clusters`,
          source: layer.id,
          type: 'circle',
          filter: ['has', 'point_count'],
          paint: {
            'circle-color': clusterColor(layer.rankColors ?? []),
            'circle-radius': ['step', ['get', 'point_count'], 14, 10, 17, 100, 21],
            'circle-stroke-width': 2,
            'circle-stroke-color': dark ? '#0c1412' : '#ffffff',
          },
        },
        {
          id: `${layer.id}-counts`,
          source: layer.id,
          type: 'symbol',
          filter: ['has', 'point_count'],
          layout: {
            'text-field': ['to-string', ['get', 'point_count']],
            'text-font': FONT,
            'text-size': 12,
            'text-allow-overlap': true,
          },
          paint: { 'text-color': '#10201b' },
        },
      ]
    : []
  return [...grouped, ...marks(layer, dark), ...(layer.named ? [names(layer)] : [])]
}

/** Names of marks; where two would overlap the graver keeps its own. */
function names(layer: PointLayer): LayerSpecification {
  return {
    id: `${layer.id}-names`,
    source: layer.id,
    type: 'symbol',
    filter: ['!', ['has', 'point_count']],
    layout: {
      'text-field': ['get', 'name'],
      'text-font': FONT,
      'text-size': 12,
      'text-variable-anchor': ['left', 'right', 'top', 'bottom'],
      'text-radial-offset': 1,
      'text-justify': 'auto',
      'text-max-width': 9,
      'text-padding': 2,
      'symbol-sort-key': ['-', ['get', 'rank']],
    },
    paint: {
      'text-color': token('--text'),
      'text-halo-color': token('--map-land'),
      'text-halo-width': 1.5,
      'text-opacity': FADED,
    },
  }
}

const MARK_PX = 22

/** The picture of a mark named "shape:colour", drawn when the map first asks for it. */
export function drawMark(name: string, ring: string): ImageData | null {
  const [shape, color] = [name.slice(0, name.indexOf(':')), name.slice(name.indexOf(':') + 1)]
  const size = MARK_PX * 2
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size
  const pen = canvas.getContext('2d')
  if (!pen || !color) return null
  pen.fillStyle = color
  pen.strokeStyle = ring
  pen.lineWidth = 4
  pen.lineJoin = 'round'
  pen.beginPath()
  if (shape === 'triangle') {
    pen.moveTo(size / 2, 6)
    pen.lineTo(size - 5, size - 8)
    pen.lineTo(5, size - 8)
  } else {
    pen.rect(9, 9, size - 18, size - 18)
  }
  pen.closePath()
  pen.stroke()
  pen.fill()
  return pen.getImageData(0, 0, size, size)
}

/** The middle of a shape's outline box: where its name goes, and a stand-in for a pin. */
export function middleOf(geometry: GeoJSON.Geometry): [number, number] {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity]
  const walk = (part: unknown): void => {
    if (!Array.isArray(part)) return
    if (typeof part[0] === 'number' && typeof part[1] === 'number') {
      west = Math.min(west, part[0])
      east = Math.max(east, part[0])
      south = Math.min(south, part[1])
      north = Math.max(north, part[1])
    } else part.forEach(walk)
  }
  if (geometry.type === 'GeometryCollection') {
    geometry.geometries.forEach((inner) => 'coordinates' in inner && walk(inner.coordinates))
  } else walk(geometry.coordinates)
  return [(west + east) / 2, (south + north) / 2]
}
