/**
 * Words in the language of the reader.
 *
 * A language is a folder of `src/messages`; a catalogue is a file of it. Messages are ICU. Keys are
 * typed from the English files, so that a misspelt one does not compile.
 */
import { IntlMessageFormat, type PrimitiveType } from 'intl-messageformat'
import type about from '../messages/en/about.json'
import type admin from '../messages/en/admin.json'
import type desk from '../messages/en/desk.json'
import type kit from '../messages/en/kit.json'
import type login from '../messages/en/login.json'
import type measure from '../messages/en/measure.json'
import type network from '../messages/en/network.json'
import type ops from '../messages/en/ops.json'
import type resident from '../messages/en/resident.json'

interface Catalogues {
  about: typeof about
  admin: typeof admin
  desk: typeof desk
  kit: typeof kit
  login: typeof login
  measure: typeof measure
  network: typeof network
  ops: typeof ops
  resident: typeof resident
}

export type CatalogueName = keyof Catalogues
export type MessageKey = {
  [N in CatalogueName]: `${N}.${keyof Catalogues[N] & string}`
}[CatalogueName]
export type MessageValues = Record<string, PrimitiveType>
/** A text that the city's data carries in several languages. */
export type Words = Record<string, string> | string | null | undefined

const files = import.meta.glob<Record<string, string>>('../messages/*/*.json', {
  import: 'default',
})

/** Languages there are catalogues for, most spoken here first. */
export const LANGUAGES: string[] = [
  ...new Set(Object.keys(files).map((path) => path.split('/')[2] ?? '')),
].sort((one, other) => Number(other === 'th') - Number(one === 'th') || one.localeCompare(other))

const OTHERWISE = 'en'

class Language {
  code = $state(OTHERWISE)
  messages = $state.raw<Record<string, string>>({})
}

const language = new Language()
let loadedNames: CatalogueName[] = []
let formats = new Map<string, IntlMessageFormat>()

function known(code: string | null | undefined): string | null {
  const wanted = code?.toLowerCase().split('-')[0]
  return wanted && LANGUAGES.includes(wanted) ? wanted : null
}

function cookie(name: string): string | null {
  const found = document.cookie.split('; ').find((pair) => pair.startsWith(`${name}=`))
  return found ? decodeURIComponent(found.slice(name.length + 1)) : null
}

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null // storage switched off
  }
}

/** The language asked for: in the address, then chosen before, then the browser's. */
export function askedLanguage(): string {
  const fromAddress = new URLSearchParams(location.search).get('lang')
  const candidates = [fromAddress, cookie('lang'), stored('lang'), ...navigator.languages]
  for (const candidate of candidates) {
    const code = known(candidate)
    if (code) return code
  }
  return OTHERWISE
}

async function catalogue(code: string, name: CatalogueName): Promise<Record<string, string>> {
  const load = files[`../messages/${code}/${name}.json`]
  const flat = load ? await load() : {}
  return Object.fromEntries(Object.entries(flat).map(([key, text]) => [`${name}.${key}`, text]))
}

async function load(code: string, names: readonly CatalogueName[]): Promise<void> {
  const parts = await Promise.all(names.map((name) => catalogue(code, name)))
  formats = new Map()
  language.messages = Object.assign({}, ...parts) as Record<string, string>
  language.code = code
  document.documentElement.lang = code
}

/** Load the catalogues a page needs, in the language asked for. The kit's own comes along. */
export async function loadMessages(names: readonly CatalogueName[]): Promise<void> {
  loadedNames = [...new Set<CatalogueName>(['kit', ...names])]
  await load(askedLanguage(), loadedNames)
}

/** Change the language of the page, and remember it here and for the server's answers. */
export async function setLanguage(code: string): Promise<void> {
  const chosen = known(code) ?? OTHERWISE
  await load(chosen, loadedNames)
  document.cookie = `lang=${chosen}; path=/; max-age=31536000; samesite=lax`
  try {
    localStorage.setItem('lang', chosen)
  } catch {
    // storage switched off: the cookie, or nothing, remembers
  }
}

/** The language of the page now: "th", "en", … */
export function lang(): string {
  return language.code
}

/** The name a language gives itself. */
export function nameOfLanguage(code: string): string {
  const name = new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1)
}

/** Whether there is a message under a key made at run time, such as `kit.state.${state}`. */
export function hasMessage(key: string): boolean {
  return key in language.messages
}

function format(key: string, text: string): IntlMessageFormat {
  const kept = formats.get(key)
  if (kept) return kept
  const made = new IntlMessageFormat(text, language.code, undefined, { ignoreTag: true })
  formats.set(key, made)
  return made
}

/** The message of a key, with its arguments filled in. */
export function t(key: MessageKey, values?: MessageValues): string {
  return say(key, values)
}

/**
 * The message of a key that is made at run time; `otherwise` (or the key) where there is none.
 * Write the key as a template (`ops.measure.${code}`): the completeness test reads its beginning.
 */
export function say(key: string, values?: MessageValues, otherwise?: string): string {
  const text = language.messages[key]
  if (text === undefined) return otherwise ?? key
  return String(format(key, text).format(values))
}

/** The reader's language of a text in the data; the other language rather than nothing. */
export function words(text: Words): string {
  if (!text) return ''
  if (typeof text === 'string') return text
  return text[language.code] ?? text[OTHERWISE] ?? Object.values(text)[0] ?? ''
}
