/** Moments of life, not of the city's clock: log-ins, messages, audit rows. */
import { formatTime, sameDay, type Moment } from '$kit/format'

/** The hour today; else the day and the hour; with the year when it is another one. */
export function formatWall(at: Moment | null | undefined): string {
  if (at === null || at === undefined) return ''
  const date = new Date(at)
  const now = new Date()
  if (sameDay(date, now)) return formatTime(date, 'time')
  return formatTime(date, date.getFullYear() === now.getFullYear() ? 'moment' : 'date')
}

/** Seconds since a moment of life. */
export function secondsSince(at: Moment): number {
  return (Date.now() - new Date(at).getTime()) / 1000
}
