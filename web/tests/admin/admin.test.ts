import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { balanceOf, countersFrom } from '../../src/admin/model/balance'
import { curlLine, mosquittoLine, quoted, samplePayload } from '../../src/admin/model/connect'
import { perMinute, stateOf } from '../../src/admin/model/devices'

describe('the balance', () => {
  const even = { received: 10, stored: 6, duplicate: 1, parked: 1, refused: 1, inFlight: 1 }

  it('is even when everything received is somewhere', () => {
    const balance = balanceOf(even)
    expect(balance).toMatchObject({ sum: 10, difference: 0, balanced: true })
    expect(Object.values(balance.shares).reduce((a, b) => a + b)).toBeCloseTo(1)
  })

  it('says how many are missing or too many', () => {
    expect(balanceOf({ ...even, stored: 4 })).toMatchObject({ difference: 2, balanced: false })
    expect(balanceOf({ ...even, stored: 9 })).toMatchObject({ difference: -3, balanced: false })
  })

  it('is even before the first message', () => {
    expect(balanceOf(countersFrom(null))).toMatchObject({ balanced: true, sum: 0 })
    expect(countersFrom({ total: { received: 3 } }).received).toBe(3)
  })
})

describe('lines to paste', () => {
  const connection = {
    host: 'city.example',
    httpOrigin: 'http://city.example:8080',
    mqttPort: 8081,
    device: "air 'A'",
    username: "air 'A'",
    password: `p$w"\`d`,
    payload: '{"pm25": 12.3}',
  }

  it('reach the program unchanged through a real shell', () => {
    for (const text of [connection.device, connection.password, connection.payload, 'plain']) {
      const heard = execFileSync('sh', ['-c', `printf %s ${quoted(text)}`], { encoding: 'utf8' })
      expect(heard).toBe(text)
    }
  })

  it("name the device's own topic and ask for an acknowledgement", () => {
    const line = mosquittoLine({ ...connection, device: 'air-1', username: 'air-1' })
    expect(line).toContain('-t devices/air-1/up')
    expect(line).toContain('-q 1')
    expect(curlLine(connection)).toContain("/api/v1/ingest/air%20'\\''A'\\''")
  })

  it('carry a payload that parses', () => {
    expect(JSON.parse(samplePayload(['pm10'], 0))).toEqual({
      observedAt: '1970-01-01T00:00:00Z',
      pm10: 12.3,
    })
  })
})

describe('devices', () => {
  const now_ms = Date.parse('2026-11-21T10:00:00Z')
  const device = { enabled: true, heardAt: '2026-11-21T09:58:00Z', periodS: 60 }

  it('are silent after three missed messages, not after one', () => {
    expect(stateOf(device, now_ms)).toBe('on')
    expect(stateOf(device, now_ms + 61_000)).toBe('silent')
    expect(stateOf({ ...device, heardAt: null }, now_ms)).toBe('new')
    expect(stateOf({ ...device, enabled: false }, now_ms)).toBe('off')
  })

  it('have a rate once they were looked at twice', () => {
    expect(perMinute(undefined, { messages: 5, at_ms: 0 })).toBeNull()
    expect(perMinute({ messages: 5, at_ms: 0 }, { messages: 10, at_ms: 5_000 })).toBe(60)
    expect(perMinute({ messages: 5, at_ms: 0 }, { messages: 1, at_ms: 5_000 })).toBeNull()
  })
})
