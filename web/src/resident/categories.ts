/** The city's tree of problems, as a resident walks it. Pure. */
import type { Category, CategoryGroup } from '$kit'

export interface Group {
  head: CategoryGroup
  leaves: Category[]
}

/** Heads with their leaves, then what belongs to no head: each is one itself. */
export function groupsOf(
  categories: readonly Category[],
  groups: readonly CategoryGroup[],
): Group[] {
  const headed = groups
    .map((head) => ({ head, leaves: categories.filter((each) => each.group === head.code) }))
    .filter(({ leaves }) => leaves.length > 0)
  const heads = new Set(groups.map(({ code }) => code))
  const alone = categories.filter((each) => !each.group || !heads.has(each.group))
  return [...headed, ...alone.map((each) => ({ head: each, leaves: [each] }))]
}

function plain(text: string): string {
  return text.toLocaleLowerCase().normalize('NFC').replace(/\s+/g, '')
}

/** Leaves whose name, or whose head's name, holds what was typed, in any language; names first. */
export function searchCategories(groups: readonly Group[], typed: string): Category[] {
  const wanted = plain(typed)
  if (!wanted) return []
  const holds = (category: CategoryGroup) => {
    const names = typeof category.name === 'string' ? [category.name] : Object.values(category.name ?? {})
    return names.some((name) => plain(name).includes(wanted))
  }
  const leaves = groups.flatMap((group) => group.leaves)
  const byName = leaves.filter(holds)
  const byHead = groups.filter((group) => holds(group.head)).flatMap((group) => group.leaves)
  return [...new Set([...byName, ...byHead])]
}
