import type { Command } from 'commander'
import { readSession } from '../../agents/read-sessions.ts'
import { wholeNumber } from '../flag-values.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { sessionLines } from '../session-lines.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

type ShowFlags = LogFlags & { readonly at?: number }

const EXAMPLES = `
Examples:
  duolog show 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11
  duolog show 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --at 12
  duolog show 0199f7a2-5c1e-7d31-9f7e-2b1c6f0a4e11 --json | jq .totals`

export function addShowCommand(program: Command): void {
  const command = program
    .command('show')
    .description('show a session, as it is or as it was')
    .argument('<session>', SESSION_ID)
    .option('--at <version>', 'as it was right after this event', wholeNumber(1))
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action((session: string, flags: ShowFlags) => withLog(flags.log, (store) => show(store, session, flags)))
}

async function show(store: Parameters<typeof readSession>[0], session: string, flags: ShowFlags): Promise<void> {
  const view = await readSession(
    store,
    await sessionNamed(store, session),
    flags.at === undefined ? {} : { at: flags.at },
  )
  await (flags.json ? printJson(view) : printLines(sessionLines(view)))
}
