// Cuts the coasts around Southeast Asia out of Natural Earth (public domain, by way of world-atlas): the quiet
// ground of the network's map. Coasts only: borders are not ours to draw.
import { readFileSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const BOX = [84, -18, 156, 34]
const SMALLEST_DEG2 = 0.0004 // about 5 km²: Singapore stays, rocks go

const { arcs, objects, transform } = JSON.parse(
  readFileSync(new URL('node_modules/world-atlas/land-50m.json', root), 'utf8'),
)
const lines = arcs.map((arc) => {
  let [x, y] = [0, 0]
  return arc.map(([dx, dy]) => {
    x += dx
    y += dy
    return [x * transform.scale[0] + transform.translate[0], y * transform.scale[1] + transform.translate[1]]
  })
})
const ringOf = (indices) =>
  indices.flatMap((index, n) => {
    const line = index < 0 ? lines[~index].toReversed() : lines[index]
    return n === 0 ? line : line.slice(1)
  })

/** The part of a ring inside the box (Sutherland and Hodgman). */
function clip(ring) {
  let kept = ring
  for (const [axis, bound, sign] of [[0, BOX[0], 1], [0, BOX[2], -1], [1, BOX[1], 1], [1, BOX[3], -1]]) {
    const from = kept
    kept = []
    from.forEach((spot, n) => {
      const before = from[(n + from.length - 1) % from.length]
      const [here, there] = [(spot[axis] - bound) * sign >= 0, (before[axis] - bound) * sign >= 0]
      if (here !== there) {
        const share = (bound - before[axis]) / (spot[axis] - before[axis])
        kept.push([0, 1].map((each) => before[each] + share * (spot[each] - before[each])))
      }
      if (here) kept.push(spot)
    })
    if (kept.length === 0) return []
  }
  return kept
}

const areaOf = (ring) =>
  Math.abs(ring.reduce((sum, [x, y], n) => sum + x * ring[(n + 1) % ring.length][1] - ring[(n + 1) % ring.length][0] * y, 0)) / 2
const rounded = (ring) => {
  const spots = ring.map((spot) => spot.map((each) => Math.round(each * 100) / 100))
  const thin = spots.filter((spot, n) => n === 0 || spot.join() !== spots[n - 1].join())
  if (thin[0].join() !== thin.at(-1).join()) thin.push(thin[0])
  return thin
}

const polygons = objects.land.geometries
  .flatMap((shape) => (shape.type === 'Polygon' ? [shape.arcs] : shape.arcs))
  .map((polygon) => polygon.map((ring) => clip(ringOf(ring))).filter((ring) => ring.length > 3))
  .filter(([outer]) => outer && areaOf(outer) > SMALLEST_DEG2)
  .map((polygon) => polygon.map(rounded).filter((ring) => ring.length > 3))
  .filter((polygon) => polygon.length > 0)

const found = {
  type: 'FeatureCollection',
  features: [{ type: 'Feature', properties: {}, geometry: { type: 'MultiPolygon', coordinates: polygons } }],
}
writeFileSync(new URL('src/network/coast.json', root), `${JSON.stringify(found)}\n`)
