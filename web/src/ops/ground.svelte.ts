/** What the map is coloured by now: stations, districts, alerts and cases of the moment shown. */
import { api } from '$kit/api'
import type { Indicator, List } from '$kit/api-types'
import { city } from '$kit/city.svelte'
import { words, say, t } from '$kit/i18n.svelte'
import { history } from './history.svelte'
import type { Alert, CaseItem } from './model/city'
import { countCases, meanOfStations, populations, type DistrictValue } from './model/districts'
import { bandsFor, inTimeIndicator, OWN_DISTRICT_MEASURES, type OwnMeasure } from './model/layers'
import type { Band } from './model/scale'
import { operations } from './store.svelte'
import { view } from './view.svelte'

interface Share {
  value: number | null
  numerator: number
  denominator: number
}

class Ground {
  /** Share of cases solved in time by district, as the city's indicator counts it. */
  shares = $state.raw<ReadonlyMap<string, Share>>(new Map())

  readonly stationMeasures = $derived(operations.measures.filter((m) => m.kind === 'station'))
  readonly stationMeasure = $derived(
    this.stationMeasures.find((m) => m.code === view.choice.stationMeasure) ??
      this.stationMeasures[0] ??
      null,
  )
  readonly stationBands = $derived.by((): readonly Band[] => {
    const measure = this.stationMeasure
    if (!measure) return []
    if (measure.bands.length > 0) return measure.bands
    return bandsFor(
      measure.code,
      operations.stations.map((s) => s.measures[measure.code]?.value ?? null),
      [],
    )
  })

  /** District measures, made on this screen from live lists. */
  readonly districtMeasures = $derived(
    OWN_DISTRICT_MEASURES.map((code) => ({
      code,
      name: say(`ops.measure.${code}`),
      unit: code === 'pm25-mean' ? (this.stationMeasure?.unit ?? '') : '',
    })),
  )
  readonly districtMeasure = $derived(
    this.districtMeasures.find((m) => m.code === view.choice.districtMeasure) ?? null,
  )

  readonly instant_ms = $derived(history.at_ms ?? city.now.getTime())

  readonly districtValues = $derived.by((): readonly DistrictValue[] => {
    const code = this.districtMeasure?.code
    return code ? this.valuesOf(code) : []
  })
  readonly districtBands = $derived(
    this.districtMeasure
      ? bandsFor(
          this.districtMeasure.code,
          this.districtValues.map((v) => v.value),
          operations.measures,
        )
      : [],
  )

  /** Alerts that were not resolved at the moment shown. */
  readonly alerts = $derived.by((): readonly Alert[] => {
    const at = history.at_ms
    if (at === null) return operations.alerts.filter((a) => a.state !== 'resolved')
    return operations.alerts.filter(
      (a) =>
        a.issuedAt_ms !== null &&
        a.issuedAt_ms <= at &&
        (a.state !== 'resolved' || (a.resolvedAt_ms ?? 0) > at),
    )
  })

  /** Cases that were not finished at the moment shown. */
  readonly cases = $derived.by((): readonly CaseItem[] => {
    const at = history.at_ms
    return at === null ? operations.open : openAt(operations.cases, at)
  })

  /** One number per district of a measure, at the moment shown. */
  valuesOf(code: OwnMeasure): readonly DistrictValue[] {
    const { districts, stations } = operations
    if (code === 'pm25-mean') {
      return meanOfStations(districts, stations, 'pm25', this.pm25Values ?? undefined)
    }
    if (code === 'population') return populations(districts)
    if (code === 'cases-in-time') {
      return districts.map((d) => {
        const share = this.shares.get(d.code)
        return { code: d.code, value: share?.value ?? null, count: share?.denominator ?? 0 }
      })
    }
    const cases = this.cases
    return countCases(districts, cases, code === 'cases-open' ? 'open' : 'overdue', this.instant_ms)
  }

  /** PM2.5 of the moment shown, when the day that is loaded is of PM2.5. */
  get pm25Values(): ReadonlyMap<string, number | null> | null {
    return history.frames?.measure === 'pm25' ? history.values : null
  }

  /** Read the indicator; a city without it has no such colour, and nothing breaks. */
  async readShares(): Promise<void> {
    const list = await api.get<List<Indicator>>('/indicators').catch(() => null)
    const code = inTimeIndicator((list?.items ?? []).map((indicator) => indicator.code))
    if (code === null) return
    const found = await api
      .get<Indicator>(`/indicators/${encodeURIComponent(code)}`, { by: 'district' })
      .catch(() => null)
    const rows = found?.rows ?? []
    // The share is made here from its two counts: indicators may be written in hundredths.
    this.shares = new Map(
      rows.map(({ district, numerator, denominator }) => [
        district,
        { value: denominator > 0 ? numerator / denominator : null, numerator, denominator },
      ]),
    )
  }

  /** A name for a district; words for a place outside all of them. */
  districtName(code: string | null): string {
    if (code === null) return t('ops.case.district.none')
    const district = operations.districtsByCode.get(code)
    return district ? words(district.name) : code
  }
}

/** Cases received before an instant and not finished until later. */
function openAt(cases: readonly CaseItem[], at_ms: number): readonly CaseItem[] {
  return cases
    .filter((c) => c.createdAt_ms !== null && c.createdAt_ms <= at_ms)
    .filter((c) => c.resolvedAt_ms === null || c.resolvedAt_ms > at_ms)
    .map((c) => (c.resolvedAt_ms === null ? c : { ...c, state: 'in_progress' }))
}

export const ground = new Ground()
