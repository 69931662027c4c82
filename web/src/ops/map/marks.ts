/** Pictures of the marks on the map, drawn when it first asks for them. */
import { strokes } from '$kit/icons'
import { token } from '$kit/theme.svelte'
import { inkOn } from '../model/scale'
import { severityOfRank } from '../model/urgency'

/** Pixels of a mark at scale 1; pictures are drawn at twice that for sharp edges. */
const ALERT_PX = 26
const CASE_PX = 18
const SHARP = 2

/** What a severity looks like on the ground: the shape speaks where the colour is not seen. */
function outline(pen: CanvasRenderingContext2D, severity: string, size: number): void {
  const middle = size / 2
  const corners = severity === 'critical' ? 8 : severity === 'warning' ? 3 : 0
  pen.beginPath()
  if (corners === 0) {
    pen.arc(middle, middle, size * 0.4, 0, Math.PI * 2)
  } else {
    const turn = corners === 8 ? Math.PI / 8 : -Math.PI / 2
    const reach = corners === 3 ? size * 0.5 : size * 0.44
    const down = corners === 3 ? size * 0.08 : 0
    for (let corner = 0; corner < corners; corner += 1) {
      const angle = turn + (corner * Math.PI * 2) / corners
      pen.lineTo(middle + reach * Math.cos(angle), middle + down + reach * Math.sin(angle))
    }
  }
  pen.closePath()
}

function sheet(size: number): CanvasRenderingContext2D | null {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size
  return canvas.getContext('2d')
}

function alertMark(severity: string, attended: boolean): ImageData | null {
  const size = ALERT_PX * SHARP
  const pen = sheet(size)
  if (!pen) return null
  const color = token(`--mark-${severity}` as '--mark-watch')
  pen.lineJoin = 'round'
  pen.lineWidth = 3 * SHARP
  pen.strokeStyle = token('--map-ground')
  outline(pen, severity, size)
  pen.stroke()
  pen.fillStyle = attended ? token('--surface-1') : color
  pen.fill()
  pen.lineWidth = 1.5 * SHARP
  pen.strokeStyle = color
  pen.stroke()
  pen.fillStyle = attended ? color : '#10130f'
  const down = severity === 'warning' ? size * 0.1 : 0
  pen.fillRect(size / 2 - 1.5 * SHARP, size * 0.27 + down, 3 * SHARP, size * 0.26)
  pen.beginPath()
  pen.arc(size / 2, size * 0.66 + down, 1.8 * SHARP, 0, Math.PI * 2)
  pen.fill()
  return pen.getImageData(0, 0, size, size)
}

function caseMark(color: string, sign: string): ImageData | null {
  const size = CASE_PX * SHARP
  const pen = sheet(size)
  if (!pen) return null
  pen.fillStyle = color
  pen.strokeStyle = token('--map-ground')
  pen.lineWidth = SHARP
  pen.beginPath()
  pen.roundRect(SHARP, SHARP, size - 2 * SHARP, size - 2 * SHARP, 4 * SHARP)
  pen.fill()
  pen.stroke()
  pen.translate(size * 0.19, size * 0.19)
  pen.scale((size * 0.62) / 24, (size * 0.62) / 24)
  pen.strokeStyle = inkOn(color)
  pen.lineWidth = 2.4
  pen.lineCap = pen.lineJoin = 'round'
  for (const [tag, attributes] of strokes(sign)) {
    const path = pathOf(tag, attributes as Record<string, string | number>)
    if (path) pen.stroke(new Path2D(path))
  }
  return pen.getImageData(0, 0, size, size)
}

/** The outline of an icon's element as a path; icons are made of few kinds of elements. */
function pathOf(tag: string, a: Record<string, string | number>): string | null {
  const n = (name: string) => Number(a[name] ?? 0)
  if (tag === 'path') return String(a['d'])
  if (tag === 'line') return `M${n('x1')} ${n('y1')}L${n('x2')} ${n('y2')}`
  if (tag === 'circle') {
    const r = n('r')
    return `M${n('cx') - r} ${n('cy')}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`
  }
  if (tag === 'rect') {
    return `M${n('x')} ${n('y')}h${n('width')}v${n('height')}h${-n('width')}z`
  }
  if (tag === 'polyline' || tag === 'polygon') {
    return `M${String(a['points'])}${tag === 'polygon' ? 'z' : ''}`
  }
  return null
}

/** Names of pictures: "alert:critical:open", "case:3:trash". */
export function alertImage(rank: number, attended: boolean): string {
  return `alert:${severityOfRank(rank)}:${attended ? 'attended' : 'open'}`
}

export function caseImage(rank: number, sign: string): string {
  return `case:${rank}:${sign}`
}

/** Colours of the urgency of cases, from none to the most urgent. */
export function rankColors(): string[] {
  return [token('--mark-ok'), token('--mark-info'), token('--mark-watch'), token('--mark-critical')]
}

/** The picture of a name above, in the colours of the theme now; null for another's name. */
export function picture(name: string): { image: ImageData; pixelRatio: number } | null {
  const [kind, first = '', second = ''] = name.split(':')
  const image =
    kind === 'alert'
      ? alertMark(first, second === 'attended')
      : kind === 'case'
        ? caseMark(rankColors()[Number(first)] ?? '#888888', second)
        : null
  return image ? { image, pixelRatio: SHARP } : null
}
