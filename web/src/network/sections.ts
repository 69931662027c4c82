/** The places of /network: which there are, who may come in, and where their code is. */
import type { Component } from 'svelte'
import type { IconName } from '$kit/icons'

export interface Section {
  key: string
  icon: IconName
  group: 'look' | 'work'
  /** Shown to who may do one of these; all may see it where there is none. */
  needs: readonly string[]
  /** Read when somebody goes there: a visitor's phone does not load the secretariat's forms. */
  load: () => Promise<{ default: Component }>
}

export const SECTIONS: readonly Section[] = [
  {
    key: 'todo',
    icon: 'inbox',
    group: 'work',
    needs: ['inbox:read'],
    load: () => import('./sections/Todo.svelte'),
  },
  {
    key: 'matters',
    icon: 'warning',
    group: 'work',
    needs: ['federation:matter'],
    load: () => import('./federation/Matters.svelte'),
  },
  { key: 'members', icon: 'map', group: 'look', needs: [], load: () => import('./sections/Members.svelte') },
  { key: 'status', icon: 'gauge', group: 'look', needs: [], load: () => import('./sections/Status.svelte') },
  { key: 'projects', icon: 'list', group: 'look', needs: [], load: () => import('./sections/Projects.svelte') },
  { key: 'compare', icon: 'scales', group: 'look', needs: [], load: () => import('./sections/Compare.svelte') },
  { key: 'report', icon: 'file', group: 'look', needs: [], load: () => import('./sections/Report.svelte') },
  { key: 'chairs', icon: 'users', group: 'look', needs: [], load: () => import('./sections/Chairs.svelte') },
  { key: 'offers', icon: 'help', group: 'look', needs: [], load: () => import('./sections/Offers.svelte') },
  { key: 'practices', icon: 'idea', group: 'look', needs: [], load: () => import('./sections/Practices.svelte') },
  {
    key: 'matches',
    icon: 'layers',
    group: 'work',
    needs: ['network:match', 'application:read'],
    load: () => import('./sections/Identities.svelte'),
  },
  {
    key: 'matching',
    icon: 'share',
    group: 'work',
    needs: ['need:read'],
    load: () => import('./sections/Matching.svelte'),
  },
  {
    key: 'returns',
    icon: 'send',
    group: 'work',
    needs: ['return:read'],
    load: () => import('./sections/Returns.svelte'),
  },
  {
    key: 'joining',
    icon: 'log-in',
    group: 'work',
    needs: ['application:read'],
    load: () => import('./sections/Joining.svelte'),
  },
  {
    key: 'meetings',
    icon: 'clock',
    group: 'work',
    needs: ['meeting:read'],
    load: () => import('./sections/Meetings.svelte'),
  },
]

/** Places that are reached from others and stand in no menu. */
export const INNER: Readonly<Record<string, { under: string; load: Section['load'] }>> = {
  city: { under: 'members', load: () => import('./sections/CityPage.svelte') },
  agreements: { under: 'matching', load: () => import('./sections/Agreements.svelte') },
}
