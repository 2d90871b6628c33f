import type * as Library from '@platformatic/kafka'
import { DuologError } from '../../core/errors.ts'
import { messageOf } from '../../core/message-of.ts'

/*
 * The only file that loads @platformatic/kafka: an optional peer, ESM only, loaded when a store asks for this driver.
 */

export type { Connection, ConnectionOptions, ConnectionPool } from '@platformatic/kafka'
export type PlatformaticLibrary = typeof Library

/** Not a literal: the CommonJS build must keep `import()`, `require()` cannot load the package on every Node. */
const PACKAGE = ['@platformatic', 'kafka'].join('/')
const INSTALL = 'npm install @platformatic/kafka@2.12.1'
const NODE = 'Node 22.22 or newer of 22, or 24.6 or newer'

/** @throws DEPENDENCY_MISSING with what to install, or which Node it needs. */
export async function loadPlatformatic(
  name: string = PACKAGE,
  nodeVersion: string = process.versions.node,
): Promise<PlatformaticLibrary> {
  if (!runsOn(nodeVersion)) {
    throw missing(`needs ${NODE} (this is ${nodeVersion}). Take another Node, or the driver kafkajs`)
  }
  const library = (await import(name).catch((cause: unknown) => {
    const said = messageOf(cause)
    throw missing(
      `needs the package ${PACKAGE}, which cannot be loaded (${said}). Install it beside duolog: ${INSTALL}`,
    )
  })) as Partial<PlatformaticLibrary>
  if (hasWhatIsUsed(library)) return library as PlatformaticLibrary
  throw missing(`needs another version of ${PACKAGE}. Install the one it was tried with: ${INSTALL}`)
}

/** Also what fetching takes apart, to decode the answers itself. */
function hasWhatIsUsed({ ConnectionPool, Connection, produceV8, fetchV11 }: Partial<PlatformaticLibrary>): boolean {
  const fetches = typeof fetchV11?.createRequest === 'function' && typeof Connection?.prototype.send === 'function'
  return typeof ConnectionPool === 'function' && produceV8 !== undefined && fetches
}

function runsOn(nodeVersion: string): boolean {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number)
  return major === 22 ? minor >= 22 : major === 24 ? minor >= 6 : major > 24
}

function missing(flaw: string): DuologError {
  return new DuologError('DEPENDENCY_MISSING', `The Kafka driver "platformatic" ${flaw}.`)
}
