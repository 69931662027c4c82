// Lists every library that can reach a browser, with its licence, from the lock file: for /about.
import { readFileSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8'))

const libraries = Object.entries(lock.packages)
  .filter(([path, entry]) => path.startsWith('node_modules/') && !entry.dev && !entry.optional)
  .map(([path, entry]) => {
    const manifest = JSON.parse(readFileSync(new URL(`${path}/package.json`, root), 'utf8'))
    const licence = entry.license ?? manifest.license
    return {
      name: path.split('node_modules/').pop(),
      version: entry.version,
      licence: typeof licence === 'string' ? licence : (licence?.type ?? 'unknown'),
    }
  })
  .sort((one, other) => one.name.localeCompare(other.name, 'en'))

writeFileSync(
  new URL('src/about/npm-licences.json', root),
  `${JSON.stringify(libraries, null, 1)}\n`,
)
