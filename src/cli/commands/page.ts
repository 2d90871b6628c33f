import { once } from 'node:events'
import type { Command } from 'commander'
import { sessionNotFound } from '../../agents/read-sessions.ts'
import { isSession } from '../../agents/session/session-events.ts'
import type { EventStore } from '../../store/event-store.ts'
import { wholeNumber } from '../flag-values.ts'
import { onInterrupt } from '../interrupt.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'
import { stderrLogger } from '../stderr-logger.ts'

type PageFlags = LogFlags & { readonly port: number; readonly host: string }

const EXAMPLES = `
The page only shows, and only to this machine: it has no password. It stays until Ctrl-C.

Examples:
  duolog page
  duolog page 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11
  duolog page --log kafka://localhost:9092 --port 8130`

export function addPageCommand(program: Command): void {
  const command = program
    .command('page')
    .description('serve a live page of the sessions, to a browser on this machine')
    .argument('[session]', `begin with this one: ${SESSION_ID}`)
    .option('--port <n>', '0: any free one', wholeNumber(0), 0)
    .option('--host <address>', '127.0.0.1, ::1 or localhost', '127.0.0.1')
  addLogFlags(command, '{"url"}')
    .addHelpText('after', EXAMPLES)
    .action((session: string | undefined, flags: PageFlags) =>
      withLog(flags.log, (store) => serve(store, session, flags)),
    )
}

async function serve(store: EventStore, given: string | undefined, { port, host, json }: PageFlags): Promise<void> {
  const session = given === undefined ? undefined : await sessionNamed(store, given)
  if (session !== undefined && !(await isSession(store, session))) throw sessionNotFound(session)
  const logger = stderrLogger((line) => void process.stderr.write(`${line}\n`))
  // Loaded by this command only: a web server is not what the others wait for.
  const { servePage } = await import('../../monitoring/serve-page.ts')
  const page = await servePage({ store, port, host, logger })
  const interrupt = onInterrupt(() => undefined)
  const url = session === undefined ? page.url : `${page.url}sessions/${encodeURIComponent(session)}`
  try {
    await (json ? printJson({ url }) : printLines([url]))
    if (!interrupt.signal.aborted) await once(interrupt.signal, 'abort')
  } finally {
    interrupt.release()
    await page.close()
  }
}
