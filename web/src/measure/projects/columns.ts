/** The questions of each list of a project and of a plan. */
import { t, words } from '$kit'
import type { Column } from '../model/draft'
import type { Definition, Framework, ProjectSummary } from '../types'
import { stageName, STAGES, wordOf } from './words'

const FUNDING_KINDS = ['own-budget', 'national-budget', 'development-bank', 'dialogue-partner', 'private', 'user-fees', 'donor', 'other'] as const
const ROLES = ['owner', 'operator', 'builder', 'technology', 'funder', 'research', 'community', 'adviser', 'regulator', 'other'] as const
const LEVELS = ['1', '2', '3', '4', '5']

const choice = (key: string, label: string, values: readonly string[], name: (value: string) => string, required = true): Column => ({
  key, label, kind: 'choice', required, options: values.map((value) => ({ value, label: name(value) })),
})

/** Indicators by name, for a list to choose from. */
export const indicatorOptions = (definitions: readonly Definition[]) =>
  definitions.map((one) => ({ value: one.code, label: `${words(one.name) || one.code} (${one.standardCode ?? one.code})` }))

export function columnsOf(framework: Framework | null, definitions: readonly Definition[]) {
  const sense = choice('sense', t('measure.target.sense'), ['up', 'down'], (value) => t(value === 'up' ? 'measure.target.senseUp' : 'measure.target.senseDown'))
  const level = (value: string) => t(`measure.level.${value}` as 'measure.level.1')
  return {
    milestones: [
      choice('stage', t('measure.form.stage'), STAGES, stageName),
      { key: 'planned', label: t('measure.form.planned'), kind: 'date' },
      { key: 'reached', label: t('measure.form.reached'), kind: 'date' },
    ],
    measures: [
      { key: 'name', label: t('measure.project.measureName'), kind: 'text', required: true },
      { key: 'unit', label: t('measure.enter.unit'), kind: 'text', required: true },
      { key: 'indicator', label: t('measure.form.indicator'), kind: 'choice', options: indicatorOptions(definitions) },
      sense,
      { key: 'baseline', label: t('measure.target.baseline'), kind: 'number' },
      { key: 'baselineOn', label: t('measure.target.baselineOn'), kind: 'date' },
      { key: 'target', label: t('measure.target.value'), kind: 'number' },
      { key: 'targetOn', label: t('measure.target.on'), kind: 'date' },
      { key: 'actual', label: t('measure.form.actual'), kind: 'number' },
      { key: 'actualOn', label: t('measure.form.actualOn'), kind: 'date' },
      { key: 'source', label: t('measure.source'), kind: 'text' },
    ],
    funding: [
      { key: 'source', label: t('measure.form.funder'), kind: 'text', required: true, hint: t('measure.form.funderHint') },
      choice('kind', t('measure.form.fundingKind'), FUNDING_KINDS, (value) => t(`measure.fundingKind.${value}` as 'measure.fundingKind.other')),
      choice('state', t('measure.form.fundingState'), ['sought', 'committed', 'paid'], (value) => t(`measure.funding.${value}` as 'measure.funding.paid')),
      { key: 'amount', label: t('measure.form.amount'), kind: 'number', required: true },
      { key: 'currency', label: t('measure.money.currency'), kind: 'text', required: true },
      { key: 'year', label: t('measure.form.budgetYear'), kind: 'number' },
      { key: 'note', label: t('measure.enter.note'), kind: 'text' },
    ],
    partners: [
      { key: 'name', label: t('measure.form.organisation'), kind: 'text', required: true },
      choice('role', t('measure.form.role'), ROLES, (value) => t(`measure.partnerRole.${value}` as 'measure.partnerRole.other')),
      { key: 'note', label: t('measure.enter.note'), kind: 'text' },
    ],
    risks: [
      { key: 'name', label: t('measure.form.risk'), kind: 'text', required: true },
      { ...choice('likelihood', t('measure.form.likelihood'), LEVELS, level), numeric: true },
      { ...choice('consequence', t('measure.form.consequence'), LEVELS, level), numeric: true },
      { key: 'owner', label: t('measure.form.riskOwner'), kind: 'text' },
      { key: 'response', label: t('measure.form.response'), kind: 'long' },
    ],
    legal: [
      { key: 'title', label: t('measure.form.law'), kind: 'text', required: true },
      choice('state', t('measure.form.lawState'), ['in-force', 'drafted', 'needed'], (value) => t(`measure.legal.${value}` as 'measure.legal.needed')),
      { key: 'reference', label: t('measure.form.lawReference'), kind: 'text' },
    ],
    evidence: [
      { key: 'title', label: t('measure.enter.proofTitle'), kind: 'text', required: true },
      { key: 'url', label: t('measure.enter.proofUrl'), kind: 'text', hint: t('measure.form.urlHint') },
      { key: 'proves', label: t('measure.form.proves'), kind: 'many', options: (framework?.rubric ?? []).map((one) => ({ value: one.code, label: wordOf(framework?.rubric, one.code) })) },
    ],
  } satisfies Record<string, Column[]>
}

export function planColumns(definitions: readonly Definition[], districts: readonly { code: string; name: string }[], projects: readonly ProjectSummary[]) {
  const all = columnsOf(null, definitions)
  const by = (key: string) => all.measures.find((column) => column.key === key) as Column
  const named = projects.map((one) => ({ value: one.id, label: one.name }))
  return {
    targets: [
      { ...by('indicator'), required: true },
      by('unit'),
      by('sense'),
      by('baseline'),
      by('baselineOn'),
      { ...by('target'), required: true },
      { ...by('targetOn'), required: true },
      { key: 'area', label: t('measure.district'), kind: 'choice', options: districts.map((one) => ({ value: one.code, label: one.name })) },
      { key: 'responsible', label: t('measure.project.responsible'), kind: 'text' },
      { key: 'projects', label: t('measure.plan.projects'), kind: 'many', options: named },
      { key: 'source', label: t('measure.source'), kind: 'text' },
    ],
    budgets: [
      { key: 'project', label: t('measure.plan.budgetProject'), kind: 'choice', required: true, options: named },
      { key: 'amount', label: t('measure.form.amount'), kind: 'number', required: true },
      { key: 'currency', label: t('measure.money.currency'), kind: 'text', required: true },
      { key: 'year', label: t('measure.form.budgetYear'), kind: 'number', required: true },
      { key: 'responsible', label: t('measure.project.responsible'), kind: 'text' },
    ],
  } satisfies Record<string, Column[]>
}
