import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { aLogger, anything, aStore, checkOptions, integerFrom, optional, type Shape } from '../agents/check-options.ts'
import { isDuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import { loggerOf } from '../store/warning-logger.ts'
import { loadAssets } from './page-assets.ts'
import { checkPort, loopbackAddress, refuses, sayError } from './page-guard.ts'
import { PageRoutes } from './page-routes.ts'

/** What {@link servePage} takes. */
export interface ServePageOptions {
  /** Any backing; it is yours to close, after the page. */
  readonly store: EventStore
  /** Default 0: any free one. */
  readonly port?: number
  /** 127.0.0.1 (default), ::1 or localhost. Nothing else: the page has no password. */
  readonly host?: string
  /** How many session views may be open at one time. Default 64. */
  readonly maxOpenPages?: number
  /** Default: the store's own, which says warnings and errors on stderr. */
  readonly logger?: Logger
}

/** A page that is being served. */
export interface ServedPage {
  /** Where it is, such as `http://127.0.0.1:8130/`. */
  readonly url: string
  /** How many subscriptions to the log its open pages need: one for each session that somebody looks at. */
  readonly subscriptions: number
  /** Ends all connections and subscriptions. Idempotent. */
  close(): Promise<void>
}

const OPTIONS: Shape<ServePageOptions> = {
  store: aStore,
  port: anything,
  host: anything,
  maxOpenPages: optional(integerFrom(1)),
  logger: optional(aLogger),
}

/**
 * Serves the live page of a log to this machine: the list of its sessions, and each session as it happens. It only shows;
 * nothing can be changed through it.
 *
 * @throws INVALID_ARGUMENT: another host than loopback, no port, a port that is taken
 */
export async function servePage(options: ServePageOptions): Promise<ServedPage> {
  checkOptions('options of servePage', options, OPTIONS)
  const { store, port = 0, host = '127.0.0.1', maxOpenPages = 64 } = options
  const logger = loggerOf(options)
  const address = loopbackAddress(host)
  checkPort(port)
  const stop = new AbortController()
  const routes = new PageRoutes({ store, assets: await loadAssets(), stop: stop.signal, maxOpenStreams: maxOpenPages })
  const server = createServer((request, response) => {
    if (refuses(request, response, portOf(server))) return
    routes.answer(request, response).catch((error: unknown) => {
      if (!isDuologError(error)) logger.error({ error, url: request.url }, 'the page could not answer')
      sayError(response, error)
    })
  })
  await listen(server, port, address)
  const name = address.includes(':') ? `[${address}]` : address
  return {
    url: `http://${name}:${portOf(server)}/`,
    get subscriptions() {
      return routes.subscriptions
    },
    close: () => close(server, routes, stop),
  }
}

async function listen(server: Server, port: number, address: string): Promise<void> {
  server.listen(port, address)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'EADDRINUSE' ? 'another program has it' : message
    throw invalidArgument(`port ${port} cannot be used: ${reason}. Without one any free port is taken.`)
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0
}

async function close(server: Server, routes: PageRoutes, stop: AbortController): Promise<void> {
  stop.abort()
  if (server.listening) {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  await routes.close()
}
