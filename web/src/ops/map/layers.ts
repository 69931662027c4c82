/** What MapLibre draws above the ground: districts, stations, cases, alerts. */
import type { FeatureCollection, Point } from 'geojson'
import type { DataDrivenPropertyValueSpecification, LayerSpecification } from 'maplibre-gl'
import { words, type Words } from '$kit/i18n.svelte'
import { FONT, middleOf } from '$kit/map'
import { token } from '$kit/theme.svelte'
import type { LonLat } from '../model/city'
import { rankColors } from './marks'

/** Sources and the layers that answer to a pointer, topmost first. */
export const TOUCHED = ['alerts', 'cases-clusters', 'cases', 'stations', 'districts-fill'] as const

export interface Mark {
  readonly id: string
  readonly at: LonLat
  readonly properties: Readonly<Record<string, string | number | boolean>>
}

export function collection(marks: readonly Mark[]): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: marks.map(({ id, at, properties }) => ({
      type: 'Feature',
      geometry: { type: 'Point', coordinates: [...at] },
      properties: { id, ...properties },
    })),
  }
}

/** A name in the middle of each district, in the language of the reader. */
export function districtNames(shapes: FeatureCollection | undefined): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: (shapes?.features ?? []).map((district) => ({
      type: 'Feature',
      geometry: {
        type: 'Point',
        coordinates: (district.properties?.['center'] as number[]) ?? middleOf(district.geometry),
      },
      properties: { name: words(district.properties?.['name'] as Words) },
    })),
  }
}

type Colors = DataDrivenPropertyValueSpecification<string>
type Numbers = DataDrivenPropertyValueSpecification<number>

/** Pairs of zoom and size, grown for a wall by `scale`. */
function bySize(scale: number, ...stops: number[]): Numbers {
  const sized = stops.map((stop, i) => (i % 2 === 1 ? stop * scale : stop))
  return ['interpolate', ['linear'], ['zoom'], ...sized] as unknown as Numbers
}

/** District colours: a match by code, so that shapes are sent to the map only once. */
export function fillColor(colors: Readonly<Record<string, string>>): Colors {
  const pairs = Object.entries(colors).flat()
  if (pairs.length === 0) return 'transparent'
  return ['match', ['to-string', ['get', 'code']], ...pairs, 'transparent'] as unknown as Colors
}

export function districtLayers(): LayerSpecification[] {
  return [
    {
      id: 'districts-fill',
      source: 'districts',
      type: 'fill',
      paint: { 'fill-color': 'transparent', 'fill-opacity': 0.62 },
    },
    {
      id: 'districts-chosen',
      source: 'districts',
      type: 'line',
      filter: ['==', ['get', 'code'], ''],
      paint: { 'line-color': token('--accent'), 'line-width': 3 },
    },
  ]
}

function stationLayers(scale: number): LayerSpecification[] {
  return [
    {
      id: 'stations',
      source: 'stations',
      type: 'circle',
      layout: { 'circle-sort-key': ['get', 'value'] },
      paint: {
        'circle-color': ['get', 'color'],
        'circle-radius': bySize(scale, 9, 5.5, 11, 9, 13, 15),
        'circle-stroke-width': ['case', ['get', 'doubtful'], 2 * scale, scale],
        'circle-stroke-color': [
          'case',
          ['get', 'doubtful'],
          ['get', 'ring'],
          token('--map-ground'),
        ],
        'circle-opacity': ['case', ['get', 'doubtful'], 0.15, ['get', 'stale'], 0.7, 1],
      },
    },
    {
      id: 'stations-text',
      source: 'stations',
      type: 'symbol',
      minzoom: 10.8,
      layout: {
        'text-field': ['get', 'text'],
        'text-font': FONT,
        'text-size': bySize(scale, 10, 9, 13, 13),
        'text-allow-overlap': true,
      },
      paint: { 'text-color': ['get', 'ink'] },
    },
  ]
}

function caseLayers(scale: number): LayerSpecification[] {
  const [none, first, second, third] = rankColors()
  const byRank = ['match', ['get', 'rank'], 0, none, 1, first, 2, second, third]
  return [
    {
      id: 'cases-clusters',
      source: 'cases',
      type: 'circle',
      filter: ['has', 'point_count'],
      paint: {
        'circle-color': token('--surface-1'),
        'circle-opacity': 0.92,
        'circle-radius': [
          'step',
          ['get', 'point_count'],
          12 * scale,
          10,
          15 * scale,
          100,
          19 * scale,
        ],
        'circle-stroke-width': 3 * scale,
        'circle-stroke-color': byRank as unknown as Colors,
      },
    },
    {
      id: 'cases-counts',
      source: 'cases',
      type: 'symbol',
      filter: ['has', 'point_count'],
      layout: {
        'text-field': ['to-string', ['get', 'point_count']],
        'text-font': FONT,
        'text-size': 12 * scale,
        'text-allow-overlap': true,
      },
      paint: { 'text-color': token('--text') },
    },
    {
      id: 'cases',
      source: 'cases',
      type: 'symbol',
      filter: ['!', ['has', 'point_count']],
      layout: {
        'icon-image': ['get', 'image'],
        'icon-size': scale,
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
      },
    },
  ]
}

function alertLayers(scale: number): LayerSpecification[] {
  return [
    {
      id: 'alerts',
      source: 'alerts',
      type: 'symbol',
      layout: {
        'icon-image': ['get', 'image'],
        'icon-size': bySize(scale, 9, 0.7, 12, 1.05),
        // Beside its station, not over it: both have to be seen.
        'icon-offset': [0, -17],
        'icon-allow-overlap': true,
        'icon-ignore-placement': true,
        'symbol-sort-key': ['get', 'rank'],
      },
    },
  ]
}

/** All marks, lowest first. `scale` is 1 on a desk and grows on a wall. */
export function markLayers(scale: number): LayerSpecification[] {
  return [...stationLayers(scale), ...caseLayers(scale), ...alertLayers(scale)]
}
