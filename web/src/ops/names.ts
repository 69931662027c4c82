/** Names of what the city's kit defines: categories and departments. */
import { city } from '$kit/city.svelte'
import { t, words } from '$kit/i18n.svelte'

export function categoryName(code: string): string {
  const category = city.info?.categories.find((each) => each.code === code)
  return category ? words(category.name) : code
}

export function categoryIcon(code: string): string {
  return city.info?.categories.find((each) => each.code === code)?.icon ?? 'clipboard'
}

export function departmentName(code: string | null): string {
  if (code === null) return t('ops.case.department.none')
  const department = city.info?.departments?.find((each) => each.code === code)
  return department ? words(department.name) : code
}
