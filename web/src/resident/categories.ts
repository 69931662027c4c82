/** The city's tree of problems, as a resident walks it. Pure. */
import type { Category } from '$kit'

export interface Group {
  head: Category
  leaves: Category[]
}

/** Heads with their leaves; a head without leaves is one itself. */
export function groupsOf(categories: readonly Category[]): Group[] {
  return categories
    .filter((category) => !category.group)
    .map((head) => {
      const leaves = categories.filter((category) => category.group === head.code)
      return { head, leaves: leaves.length > 0 ? leaves : [head] }
    })
}

function plain(text: string): string {
  return text.toLocaleLowerCase().normalize('NFC').replace(/\s+/g, '')
}

/** Leaves whose name, or whose head's name, holds what was typed, in any language; names first. */
export function searchCategories(groups: readonly Group[], typed: string): Category[] {
  const wanted = plain(typed)
  if (!wanted) return []
  const holds = (category: Category) => {
    const names = typeof category.name === 'string' ? [category.name] : Object.values(category.name ?? {})
    return names.some((name) => plain(name).includes(wanted))
  }
  const leaves = groups.flatMap((group) => group.leaves)
  const byName = leaves.filter(holds)
  const byHead = groups.filter((group) => holds(group.head)).flatMap((group) => group.leaves)
  return [...new Set([...byName, ...byHead])]
}
