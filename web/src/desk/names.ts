/** Names of what cases refer to by code. */
import { city, say, words, type Districts } from '$kit'
import { loadDistricts } from '$kit/ground'

export function categoryName(code: string): string {
  return words(city.info?.categories.find((each) => each.code === code)?.name) || code
}

export function categoryIcon(code: string): string {
  return city.info?.categories.find((each) => each.code === code)?.icon ?? 'dots'
}

/** The name of the head that a kind of problem belongs to. */
export function groupName(code: string | null | undefined): string {
  return words(city.info?.groups?.find((each) => each.code === code)?.name)
}

export function departmentName(code: string | null): string {
  return words(city.info?.departments?.find((each) => each.code === code)?.name) || code || ''
}

export function sourceName(code: string): string {
  return say(`desk.source.${code}`, {}, code)
}

let districts: Districts | null = null

/** Read the districts once, for their names. */
export async function learnDistricts(): Promise<void> {
  districts = await loadDistricts()
}

export function districtName(code: string | null): string {
  const found = districts?.features.find((each) => each.properties.code === code)
  return found ? words(found.properties.name) : (code ?? '')
}
