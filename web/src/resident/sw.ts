/// <reference lib="webworker" />
/**
 * Keeps the resident page on the phone, so that it opens without a line.
 *
 * Only the page itself is kept, and the few facts that a report needs: what the city says of today is
 * never served from here, lest old news look new.
 */
const worker = self as unknown as ServiceWorkerGlobalScope
const SHELL = 'shell'

interface Chunk {
  file: string
  css?: string[]
  assets?: string[]
  imports?: string[]
  dynamicImports?: string[]
}

/** Files of the resident page by the build's own list: its code, styles, words; not the map. */
async function shellFiles(): Promise<string[]> {
  const response = await fetch('/manifest.json')
  if (!response.ok) return []
  const chunks = (await response.json()) as Record<string, Chunk>
  const files = new Set<string>(['/', '/first.js', '/icon.svg'])
  const walk = (name: string) => {
    const chunk = chunks[name]
    if (!chunk || files.has(`/${chunk.file}`)) return
    for (const file of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) files.add(`/${file}`)
    chunk.imports?.forEach(walk)
  }
  walk('index.html')
  for (const name of Object.keys(chunks)) if (/messages\/\w+\/(kit|resident)\.json$/.test(name)) walk(name)
  return [...files]
}

async function keepShell(): Promise<void> {
  const cache = await caches.open(SHELL)
  const files = await shellFiles()
  await Promise.all(files.map(async (file) => (await cache.match(file)) ?? cache.add(file)))
  const wanted = new Set(files)
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url)
    const isOld = !wanted.has(pathname) && !FACTS.includes(pathname)
    if (wanted.size > 0 && isOld) await cache.delete(request)
  }
}

worker.addEventListener('install', (event) => {
  event.waitUntil(keepShell().then(() => worker.skipWaiting()))
})

worker.addEventListener('activate', (event) => {
  event.waitUntil(worker.clients.claim())
})

/** The page from the city if it answers, else the one kept; a newer page brings newer files. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL)
  try {
    const response = await fetch(request)
    if (response.ok) await cache.put('/', response.clone())
    return response
  } catch (cause) {
    const kept = await cache.match('/')
    if (kept) return kept
    throw cause
  }
}

/** Facts that hold for weeks and that a report needs: fresh if the city answers, else as kept. */
const FACTS = ['/api/v1/city/districts', '/api/v1/notices/report']

async function fact(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL)
  try {
    const response = await fetch(request)
    if (response.ok) await cache.put(request, response.clone())
    return response
  } catch (cause) {
    const kept = await cache.match(request, { ignoreVary: true })
    if (kept) return kept
    throw cause
  }
}

async function file(request: Request): Promise<Response> {
  const cache = await caches.open(SHELL)
  const kept = await cache.match(request)
  if (kept) return kept
  const response = await fetch(request)
  // Names of built files carry a hash of what is in them: a kept one is never out of date.
  if (response.ok) await cache.put(request, response.clone())
  return response
}

worker.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== worker.location.origin) return
  if (event.request.mode === 'navigate') {
    if (url.pathname === '/') event.respondWith(page(event.request))
    return
  }
  if (FACTS.includes(url.pathname)) event.respondWith(fact(event.request))
  const isFile = url.pathname.startsWith('/assets/') || url.pathname === '/first.js'
  if (isFile) event.respondWith(file(event.request))
})

worker.addEventListener('message', (event) => {
  if (event.data === 'tidy') event.waitUntil(keepShell())
})
