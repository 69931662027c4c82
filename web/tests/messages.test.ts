/** Every language says everything that the screens ask for, with the same arguments. */
import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const src = new URL('../src/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, src), 'utf8')

const languages = readdirSync(new URL('messages/', src))
const names = readdirSync(new URL('messages/en/', src)).map((file) => file.replace('.json', ''))

function messages(language: string): Record<string, string> {
  return Object.assign(
    {},
    ...names.map((name) => {
      const flat = JSON.parse(read(`messages/${language}/${name}.json`)) as Record<string, string>
      return Object.fromEntries(Object.entries(flat).map(([key, text]) => [`${name}.${key}`, text]))
    }),
  )
}

function argumentsOf(elements: MessageFormatElement[], found = new Set<string>()): Set<string> {
  for (const element of elements) {
    if (element.type === TYPE.literal || element.type === TYPE.pound) continue
    if ('value' in element) found.add(String(element.value))
    if ('options' in element) {
      Object.values(element.options).forEach((option) => argumentsOf(option.value, found))
    }
    if ('children' in element) argumentsOf(element.children, found)
  }
  return found
}

const english = messages('en')

test('Thai and English are there', () => {
  expect(languages).toContain('th')
  expect(languages).toContain('en')
})

for (const language of languages) {
  const said = messages(language)

  test(`${language} has the same keys as English`, () => {
    expect(Object.keys(said).sort()).toEqual(Object.keys(english).sort())
  })

  test(`${language} uses the same arguments as English`, () => {
    for (const [key, text] of Object.entries(said)) {
      const [own, theirs] = [text, english[key] ?? ''].map((each) =>
        [...argumentsOf(parse(each, { ignoreTag: true }))].sort(),
      )
      expect(own, key).toEqual(theirs)
    }
  })

  test(`${language} leaves no message empty`, () => {
    const empty = Object.entries(said).filter(([, text]) => !text.trim())
    expect(empty).toEqual([])
  })
}

/** Names that are the same in every language. */
const NAMES = /Nagara|SensorThings|MQTT|PM2\.5|CSV|JSON|LoRaWAN|URL|npm|WebSocket|NGSI-LD|Apache|HTTP|Traffy Fondue|air4thai|ThaiWater|GTFS/g

test('Thai messages are in Thai', () => {
  const foreign = Object.entries(messages('th')).filter(([, text]) => {
    const plain = text.replace(/\{[^{}]*\}/g, '').replace(NAMES, '')
    return /[a-z]{4}/i.test(plain) && !/[\u0e00-\u0e7f]/.test(text)
  })
  expect(foreign).toEqual([])
})

/** All code of the screens, as one text. */
const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(ts|svelte)$/.test(path))
  .map(read)
  .join('\n')
  .replace(/const KEPT = .*/g, '') // names in the browser's storage look like keys

const quoted = new Set(
  [...code.matchAll(/['"`]((?:kit|resident|desk|ops|admin|about|login|measure|network)\.[\w.-]+)['"`]/g)].map(
    (match) => match[1]!,
  ),
)
/** Beginnings of keys that are made at run time: `kit.case.state.${state}`. */
const beginnings = [
  ...code.matchAll(/`((?:kit|resident|desk|ops|admin|about|login|measure|network)\.[\w.-]*)\$\{/g),
].map((match) => match[1]!)

test('no message is without a use', () => {
  const unused = Object.keys(english).filter(
    (key) => !quoted.has(key) && !beginnings.some((beginning) => key.startsWith(beginning)),
  )
  expect(unused).toEqual([])
})

test('no message that the code asks for is missing', () => {
  const missing = [...quoted].filter((key) => {
    if (key in english) return false
    return !Object.keys(english).some((known) => known.startsWith(`${key}.`))
  })
  expect(missing).toEqual([])
})
