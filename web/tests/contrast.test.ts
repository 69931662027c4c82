/** Every text of the kit stands at 4.5:1 or more on what is behind it, in both themes. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const css = readFileSync(new URL('../src/kit/tokens.css', import.meta.url), 'utf8')

function tokensAfter(marker: string): Record<string, string> {
  const start = css.indexOf(marker)
  expect(start, `tokens.css has the block ${marker}`).toBeGreaterThanOrEqual(0)
  const block = css.slice(css.indexOf('{', start) + 1, css.indexOf('}', start))
  return Object.fromEntries([...block.matchAll(/(--[\w-]+):\s*(.+?);/g)].map((m) => [m[1], m[2]]))
}

const THEMES = {
  light: tokensAfter(":root[data-theme='light']"),
  dark: tokensAfter(":root[data-theme='dark']"),
}

function luminance(hex: string): number {
  const channels = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * channels[0]! + 0.7152 * channels[1]! + 0.0722 * channels[2]!
}

function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

const SURFACES = ['--surface-0', '--surface-1', '--surface-2']
const SEVERITIES = ['ok', 'info', 'watch', 'warning', 'critical', 'none']
const TEXT_PAIRS: [string, string][] = [
  ...SURFACES.flatMap((surface): [string, string][] => [
    ['--text', surface],
    ['--text-muted', surface],
    ['--accent', surface],
    ['--accent-hover', surface],
  ]),
  ['--text', '--accent-soft'],
  ['--on-accent', '--accent'],
  ['--on-accent', '--accent-hover'],
  ['--on-brand', '--brand'],
  ['--map-label', '--map-land'],
  ...SEVERITIES.flatMap((severity): [string, string][] => [
    [`--severity-${severity}`, `--severity-${severity}-soft`],
    [`--severity-${severity}`, '--surface-1'],
    [`--severity-${severity}`, '--surface-0'],
    [`--text`, `--severity-${severity}-soft`],
  ]),
]
const EDGE_PAIRS: [string, string][] = [
  ['--border-strong', '--surface-0'],
  ['--border-strong', '--surface-1'],
  ['--focus', '--surface-0'],
  ['--focus', '--surface-1'],
]

for (const [name, tokens] of Object.entries(THEMES)) {
  test.each(TEXT_PAIRS)(`${name}: %s is readable on %s`, (text, surface) => {
    expect(contrast(tokens[text]!, tokens[surface]!)).toBeGreaterThanOrEqual(4.5)
  })
  test.each(EDGE_PAIRS)(`${name}: %s is seen on %s`, (edge, surface) => {
    expect(contrast(tokens[edge]!, tokens[surface]!)).toBeGreaterThanOrEqual(3)
  })
}

test('the device in dark mode gets the same colours as the switch', () => {
  expect(tokensAfter(":root[data-family='public']:not([data-theme])")).toEqual(THEMES.dark)
})

test('both themes define the same colours', () => {
  expect(Object.keys(THEMES.dark).sort()).toEqual(Object.keys(THEMES.light).sort())
})
