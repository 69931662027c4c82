/** Put a page on the screen: words first, then the component. */
import './base.css'
import { mount, type Component } from 'svelte'
import { loadMessages, type CatalogueName } from './i18n.svelte'

export async function start(page: Component, catalogues: readonly CatalogueName[]): Promise<void> {
  const target = document.getElementById('app')
  if (!target) throw new Error('the page has no element #app')
  await loadMessages(catalogues)
  mount(page, { target })
}
