/** The live line reads server-sent events however the network cuts them. */
import { expect, test } from 'vitest'
import { eventParser } from '../src/kit/live.svelte'

const STREAM =
  ': heartbeat\n\nevent: change\nid: 7\ndata: {"seq":7,\ndata: "op":"update"}\n\nevent: clock\ndata: {}\n\n'

function heard(pieces: string[]) {
  const events: unknown[] = []
  const parse = eventParser((event) => events.push(event))
  pieces.forEach(parse)
  return events
}

const WHOLE = [
  { event: 'change', data: '{"seq":7,\n"op":"update"}', id: '7' },
  { event: 'clock', data: '{}', id: '7' },
]

test('a stream in one piece', () => {
  expect(heard([STREAM])).toEqual(WHOLE)
})

test('a stream cut at every place', () => {
  for (let at = 1; at < STREAM.length; at++) {
    expect(heard([STREAM.slice(0, at), STREAM.slice(at)])).toEqual(WHOLE)
  }
})

test('a stream with the line ends of another system', () => {
  const crlf = STREAM.replaceAll('\n', '\r\n')
  for (let at = 1; at < crlf.length; at++) {
    expect(heard([crlf.slice(0, at), crlf.slice(at)])).toEqual(WHOLE)
  }
})
