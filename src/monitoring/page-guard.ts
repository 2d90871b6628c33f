import type { IncomingMessage, ServerResponse } from 'node:http'
import { isDuologError } from '../core/errors.ts'
import { LOOPBACK_HOSTS } from '../core/loopback.ts'
import { messageOf } from '../core/message-of.ts'
import { describe, invalidArgument } from '../store/check-arguments.ts'

/*
 * What stands before every answer. The page has no password, so it answers only to this machine, and only to itself:
 *
 * G1 It listens on a loopback address.
 * G2 A request names that address as its host: a name that an attacker points to 127.0.0.1 is refused.
 * G3 Another site's page is given nothing, and may neither frame this one nor hold connections to it.
 * G4 Nothing can be changed through it: GET and HEAD.
 */

const LOOPBACK: ReadonlyMap<string, string> = new Map([
  ['127.0.0.1', '127.0.0.1'],
  ['localhost', '127.0.0.1'],
  ['::1', '::1'],
  ['[::1]', '::1'],
])

/**
 * The address to listen on.
 * @throws INVALID_ARGUMENT for one that others can reach
 */
export function loopbackAddress(host: string): string {
  const address = LOOPBACK.get(host)
  if (address !== undefined) return address
  throw invalidArgument(
    `host must be 127.0.0.1, ::1 or localhost, got ${describe(host)}: the page has no password, so it is for this machine only. From another one use a tunnel (ssh -L).`,
  )
}

export function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return
  throw invalidArgument(`port must be a whole number from 0 (any free one) to 65535, got ${describe(port)}.`)
}

/** Sent with every answer. No script or style but our files; and no text becomes markup, whatever an agent wrote. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** Answers what is not to be served. @returns whether it did. */
export function refuses(request: IncomingMessage, response: ServerResponse, port: number): boolean {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
  const { host = '', origin } = request.headers
  const site = request.headers['sec-fetch-site']
  const navigates = request.headers['sec-fetch-mode'] === 'navigate'
  const elsewhere = site === 'cross-site' || site === 'same-site'
  if (!isOurs(host, port))
    say(response, 403, `This page answers to 127.0.0.1:${port} only, not to ${JSON.stringify(host)}.`)
  else if ((origin !== undefined && !isOurs(origin.replace(/^http:\/\//, ''), port)) || (elsewhere && !navigates))
    say(response, 403, 'This page answers to itself only, not to other sites.')
  else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    say(response, 405, 'This page only shows: GET and HEAD.')
  } else return false
  return true
}

function isOurs(host: string, port: number): boolean {
  return LOOPBACK_HOSTS.some((name) => host === `${name}:${port}` || (port === 80 && host === name))
}

export function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}

/** What went wrong, for whoever asked. */
export function sayError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy()
  else say(response, statusOf(error), messageOf(error))
}

function statusOf(error: unknown): number {
  if (isDuologError(error, 'SESSION_NOT_FOUND')) return 404
  if (isDuologError(error, 'INVALID_ARGUMENT')) return 400
  return isDuologError(error) ? 503 : 500
}
