/** Warnings as a resident reads them: one for each thing that is wrong, with the places. Pure. */
import { rankOf, type Alert, type Severity, type Words } from '$kit'

export interface Warning {
  key: string
  severity: Severity
  name: Words
  advice: Words
  since: string
  provenance: Alert['provenance']
  /** The places, worst first. */
  places: Alert[]
}

function worse(one: Alert, other: Alert): number {
  const byValue = (other.observedValue ?? 0) - (one.observedValue ?? 0)
  return byValue || other.dateIssued.localeCompare(one.dateIssued)
}

/** Alerts of one rule and severity are one warning; the gravest comes first. */
export function warningsOf(alerts: readonly Alert[]): Warning[] {
  const groups = new Map<string, Alert[]>()
  for (const alert of alerts) {
    const key = `${alert.ruleId ?? alert.category} ${alert.severity}`
    groups.set(key, [...(groups.get(key) ?? []), alert])
  }
  const warnings = [...groups].map(([key, group]): Warning => {
    const places = group.toSorted(worse)
    const first = places[0]!
    return {
      key,
      severity: first.severity,
      name: first.name ?? first.entityName,
      advice: first.description,
      since: group.map((alert) => alert.dateIssued).sort()[0]!,
      provenance: first.provenance,
      places,
    }
  })
  return warnings.sort(
    (one, other) =>
      rankOf(other.severity) - rankOf(one.severity) || other.places.length - one.places.length,
  )
}
