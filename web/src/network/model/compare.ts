/** The question of a comparison, as an address carries it: pure. */
export const CITIES_MAX = 40
export const CODES_MAX = 12

export const listOf = (text: string | undefined, most: number): string[] =>
  [...new Set((text ?? '').split(',').map((each) => each.trim()).filter(Boolean))].slice(0, most)

/** Put in or taken out; the order stays that of the choosing. */
export const toggled = (list: readonly string[], one: string): string[] =>
  list.includes(one) ? list.filter((each) => each !== one) : [...list, one]

/** The middle of a period as milliseconds, for a place on the axis. */
export function midOf(from: string, to: string): number {
  return (Date.parse(from) + Date.parse(to)) / 2
}
