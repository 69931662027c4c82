/** Names of what the machinery calls by codes. */
import { say } from '$kit/i18n.svelte'

/** A way of arrival: "mqtt", "http", "feed.air4thai", "replay.AirQualityObserved". */
export function sourceName(source: string): string {
  const [way = '', ...rest] = source.split(/[.:]/)
  const name = say(`admin.counters.channel.${way}`, {}, way)
  const what = rest.join('.')
  return what ? `${name} · ${say(`admin.type.${what}`, {}, what)}` : name
}

/** A reader of the change log: "cases.alerts" is what the cases room does with alerts. */
export function readerName(name: string): string {
  return say(`admin.reader.${name}`, {}, name)
}
