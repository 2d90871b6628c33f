import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { DuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { DEFAULT_LOG } from '../store/default-log.ts'
import type { EventStore } from '../store/event-store.ts'
import { openEventStore } from '../store/open-event-store.ts'
import { parseStoreUrl } from '../store/store-url.ts'
import { stderrLogger } from './stderr-logger.ts'

/** What every command takes. */
export interface LogFlags {
  readonly log: string
  readonly json?: true
}

/** `jsonForm` says what --json prints. */
export function addLogFlags(command: Command, jsonForm: string): Command {
  return command
    .addOption(
      new Option('--log <url>', 'the log: file:PATH, kafka://HOST:PORT or memory:')
        .default(DEFAULT_LOG)
        .env('DUOLOG_LOG'),
    )
    .option('--json', `${jsonForm} on stdout; an error is {"error":{"code","message"}}`)
}

const toStderr = (line: string) => void process.stderr.write(`${line}\n`)

export interface LogUse {
  readonly logger?: Logger
  /** Whether a log in a file may be made; reading commands make none. */
  readonly create?: boolean
}

/** Opens the log, uses it, and closes it whatever happens. */
export async function withLog<T>(
  url: string,
  use: (store: EventStore) => Promise<T>,
  { logger = stderrLogger(toStderr), create = false }: LogUse = {},
): Promise<T> {
  if (!create) refuseMissingFile(url)
  const store = await openEventStore(url, { logger })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

function refuseMissingFile(url: string): void {
  const parsed = parseStoreUrl(url)
  if (parsed.scheme !== 'file' || existsSync(parsed.path)) return
  throw new DuologError(
    'LOG_UNAVAILABLE',
    `There is no log at ${parsed.path}. Name the right one with --log, or start a session with: duolog run "<task>"`,
  )
}
