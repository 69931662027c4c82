/** Where on earth, and in which district. Pure. */
import type { Districts } from '$kit'

type Ring = number[][]

function inRing(lon: number, lat: number, ring: Ring): boolean {
  let inside = false
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi = 0, yi = 0] = ring[i] ?? []
    const [xj = 0, yj = 0] = ring[j] ?? []
    if (yi > lat !== yj > lat && lon < ((xj - xi) * (lat - yi)) / (yj - yi) + xi) inside = !inside
  }
  return inside
}

function inPolygon(lon: number, lat: number, [outer, ...holes]: Ring[]): boolean {
  if (!outer || !inRing(lon, lat, outer)) return false
  return !holes.some((hole) => inRing(lon, lat, hole))
}

/** The district that a place lies in; undefined outside the city. */
export function districtAt(lon: number, lat: number, districts: Districts) {
  return districts.features.find(({ geometry }) => {
    if (geometry.type === 'Polygon') return inPolygon(lon, lat, geometry.coordinates)
    if (geometry.type !== 'MultiPolygon') return false
    return geometry.coordinates.some((polygon) => inPolygon(lon, lat, polygon))
  })
}

/** Metres between two places, good enough within a city. */
export function metresBetween(one: [number, number], other: [number, number]): number {
  const degree_m = 111_320
  const x = (one[0] - other[0]) * Math.cos(((one[1] + other[1]) / 2) * (Math.PI / 180)) * degree_m
  const y = (one[1] - other[1]) * degree_m
  return Math.hypot(x, y)
}
