/** What a chart shows, as a file: the drawing as SVG, its numbers as CSV. */
import { csvOf, type Cell } from './scale'

const LOOKS = [
  'fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'font-size', 'font-weight',
  'text-anchor', 'dominant-baseline', 'paint-order',
] as const

function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  Object.assign(document.createElement('a'), { href: address, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000) // the browser reads it after the click
}

/** A name that every file system takes. */
export function fileName(title: string, ending: string): string {
  return `${title.replace(/[\\/:*?"<>|\s]+/g, '-').slice(0, 80)}.${ending}`
}

/** The drawing by itself: its colours and letters are written into it, for the page's styles stay behind. */
export function svgText(drawn: SVGSVGElement, title: string): string {
  const copy = drawn.cloneNode(true) as SVGSVGElement
  const [from, to] = [[...drawn.querySelectorAll('*')], [...copy.querySelectorAll('*')]]
  from.forEach((element, index) => {
    const looks = getComputedStyle(element)
    const target = to[index]
    for (const look of LOOKS) {
      const value = looks.getPropertyValue(look)
      if (value) target?.setAttribute(look, value)
    }
    target?.removeAttribute('class')
    target?.removeAttribute('style')
  })
  const { width, height } = drawn.viewBox.baseVal
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  copy.setAttribute('width', String(width))
  copy.setAttribute('height', String(height))
  copy.setAttribute('font-family', "'Noto Sans Thai', 'Noto Sans', sans-serif")
  copy.removeAttribute('style')
  copy.removeAttribute('class')
  const paper = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
  paper.setAttribute('width', '100%')
  paper.setAttribute('height', '100%')
  paper.setAttribute('fill', getComputedStyle(document.documentElement).getPropertyValue('--surface-1').trim())
  copy.prepend(paper)
  const name = document.createElementNS('http://www.w3.org/2000/svg', 'title')
  name.textContent = title
  copy.prepend(name)
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}`
}

export function saveSvg(drawn: SVGSVGElement, title: string): void {
  save(new Blob([svgText(drawn, title)], { type: 'image/svg+xml' }), fileName(title, 'svg'))
}

/** With the mark that tells a spreadsheet that it is UTF-8, else Thai is unreadable there. */
export function saveCsv(head: readonly string[], rows: readonly (readonly Cell[])[], title: string): void {
  save(new Blob(['\ufeff', csvOf(head, rows)], { type: 'text/csv' }), fileName(title, 'csv'))
}
