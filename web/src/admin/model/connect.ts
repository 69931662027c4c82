/** Lines an engineer can paste to make a new device speak. */

export interface Connection {
  readonly host: string
  readonly httpOrigin: string
  readonly mqttPort: number
  readonly device: string
  readonly username: string
  readonly password: string
  readonly payload: string
}

/** Quoted for a POSIX shell: the text reaches the program unchanged. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** The topic a device may publish to: its own and no other. */
export function topicOf(device: string): string {
  return `devices/${device}/up`
}

/** Quality of service 1: the acknowledgement means that the message is stored. */
export function mosquittoLine(c: Connection): string {
  return [
    'mosquitto_pub',
    `-h ${quoted(c.host)} -p ${c.mqttPort}`,
    `-u ${quoted(c.username)} -P ${quoted(c.password)}`,
    `-i ${quoted(c.device)} -q 1`,
    `-t ${quoted(topicOf(c.device))}`,
    `-m ${quoted(c.payload)}`,
  ].join(' \\\n  ')
}

export function curlLine(c: Connection): string {
  return [
    'curl --fail-with-body',
    `-u ${quoted(`${c.username}:${c.password}`)}`,
    `-H 'Content-Type: application/json'`,
    `-d ${quoted(c.payload)}`,
    quoted(`${c.httpOrigin}/api/v1/ingest/${encodeURIComponent(c.device)}`),
  ].join(' \\\n  ')
}

/** A message a device of this profile might send, dated now so that it is accepted. */
export function samplePayload(attributes: readonly string[], now_ms: number): string {
  const observedAt = new Date(now_ms).toISOString().replace(/\.\d+Z$/, 'Z')
  const first = attributes[0] ?? 'pm25'
  return JSON.stringify({ observedAt, [first]: 12.3 })
}
