/** Short words after an act. They are spoken too, and stay long enough to be read. */
import type { Problem } from './api'

const READING_MS = 6000

export interface Toast {
  id: number
  tone: 'ok' | 'info' | 'critical'
  text: string
}

class Toasts {
  list = $state<Toast[]>([])
  #next = 1

  show(text: string, tone: Toast['tone'] = 'ok'): void {
    const id = this.#next++
    this.list.push({ id, tone, text })
    if (tone !== 'critical') setTimeout(() => this.drop(id), READING_MS)
  }

  problem(problem: Problem): void {
    this.show([problem.title, problem.detail, problem.hint].filter(Boolean).join(' '), 'critical')
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id)
  }
}

export const toasts = new Toasts()
