import { svelte } from '@sveltejs/vite-plugin-svelte'
import { fileURLToPath } from 'node:url'
import type { Connect, Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const PAGES = ['ops', 'desk', 'admin', 'about', 'login', 'measure', 'network']
const CITY = process.env['NAGARA_URL'] ?? 'http://127.0.0.1:8080'

/** Serve `/desk` from `desk.html`, as the city's own server does. */
function cleanAddresses(): Plugin {
  const rewrite: Connect.NextHandleFunction = (request, _response, next) => {
    const [path = '', query] = (request.url ?? '').split('?')
    const page = PAGES.find((name) => path === `/${name}` || path === `/${name}/`)
    if (page) request.url = `/${page}.html${query ? `?${query}` : ''}`
    next()
  }
  return {
    name: 'clean-addresses',
    configureServer: (server) => void server.middlewares.use(rewrite),
    configurePreviewServer: (server) => void server.middlewares.use(rewrite),
  }
}

const proxy = Object.fromEntries(
  ['/api', '/ngsi-ld', '/health', '/metrics'].map((path) => [path, { target: CITY }]),
)

const entry = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig({
  plugins: [cleanAddresses(), svelte()],
  resolve: {
    alias: { $kit: entry('src/kit') },
    // Tests mount components in a document, so they need the client build.
    ...(process.env['VITEST'] ? { conditions: ['browser'] } : {}),
  },
  server: { proxy },
  preview: { proxy },
  build: {
    outDir: '../src/nagara/http/static',
    emptyOutDir: true,
    manifest: 'manifest.json',
    target: 'es2022',
    assetsInlineLimit: 0, // a content security policy without data: needs every file as a file
    rolldownOptions: {
      input: {
        index: entry('index.html'),
        ops: entry('ops.html'),
        desk: entry('desk.html'),
        admin: entry('admin.html'),
        about: entry('about.html'),
        login: entry('login.html'),
        measure: entry('measure.html'),
        network: entry('network.html'),
        missing: entry('missing.html'),
        sw: entry('src/resident/sw.ts'),
      },
      output: {
        // The service worker's address must never change: browsers look for it under its old name.
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  test: { include: ['tests/**/*.test.ts'] },
})
