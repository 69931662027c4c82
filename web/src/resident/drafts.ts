/** Reports kept on this phone (IndexedDB): begun, waiting for a line, or sent. */
import type { Sent } from '$kit'

export type DraftState = 'draft' | 'waiting' | 'refused' | 'sent'

export interface Draft {
  /** Also the Idempotency-Key: however often it is sent, the city hears it once. */
  id: string
  state: DraftState
  startedAt: string
  category: string
  lon: number | null
  lat: number | null
  /** How the place was found, and what it is called. */
  placeName: string
  words: string
  photos: Blob[]
  name: string
  contact: string
  language: string
  noticeVersion: string | null
  /** Why the city did not take it, in its words. */
  refusal: string
  sent: Sent | null
}

const DATABASE = 'nagara'
const STORE = 'reports'

export function newDraft(id: string, startedAt: string, language: string): Draft {
  return {
    id,
    state: 'draft',
    startedAt,
    category: '',
    lon: null,
    lat: null,
    placeName: '',
    words: '',
    photos: [],
    name: '',
    contact: '',
    language,
    noticeVersion: null,
    refusal: '',
    sent: null,
  }
}

/** Whether anything worth keeping has been entered. */
export function isBegun(draft: Draft): boolean {
  return Boolean(draft.category || draft.words || draft.photos.length || draft.lon !== null)
}

/** What is kept once the city has it: the code and what it is about, nothing that was told. */
export function afterSending(draft: Draft, sent: Sent): Draft {
  return { ...draft, state: 'sent', sent, words: '', photos: [], name: '', contact: '', refusal: '' }
}

let opened: Promise<IDBDatabase> | null = null

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((keep, refuse) => {
    const asked = indexedDB.open(DATABASE, 1)
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: 'id' })
    asked.onsuccess = () => keep(asked.result)
    asked.onerror = () => refuse(asked.error)
  })
  return opened
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>) {
  const database = await open()
  return new Promise<T>((keep, refuse) => {
    const transaction = database.transaction(STORE, mode)
    const asked = act(transaction.objectStore(STORE))
    transaction.oncomplete = () => keep(asked.result)
    transaction.onerror = () => refuse(transaction.error)
    transaction.onabort = () => refuse(transaction.error)
  })
}

export const listDrafts = () => run<Draft[]>('readonly', (store) => store.getAll())
export const keepDraft = (draft: Draft) => run('readwrite', (store) => store.put(draft))
export const dropDraft = (id: string) => run('readwrite', (store) => store.delete(id))
