import type { Command } from 'commander'
import { listSessions, type SessionSummary } from '../../agents/read-sessions.ts'
import { formatUsd } from '../../core/format.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { wantsColor } from '../render/paint.ts'
import { type Column, table } from '../render/table.ts'

const EXAMPLES = `
Examples:
  duolog sessions
  duolog sessions --json --log file:./other/log.db`

export function addSessionsCommand(program: Command): void {
  const command = program.command('sessions').description('list the sessions of the log, the newest first')
  addLogFlags(command, 'a list of sessions')
    .addHelpText('after', EXAMPLES)
    .action((flags: LogFlags) => withLog(flags.log, async (store) => print(await listSessions(store), flags)))
}

const columns: readonly Column<SessionSummary>[] = [
  { header: 'session', value: ({ sessionId }) => sessionId },
  { header: 'status', value: ({ status }) => status },
  { header: 'accepted', value: ({ totals }) => `${totals.accepted}/${totals.workItems}`, align: 'right' },
  { header: 'cost', value: ({ totals }) => formatUsd(totals.costUsd), align: 'right' },
  { header: 'events', value: ({ version }) => version, align: 'right' },
  { header: 'last event', value: ({ lastEventAt }) => lastEventAt.slice(0, 19).replace('T', ' ') },
  { header: 'task', value: ({ task }) => task, maxWidth: 60 },
]

function print(sessions: readonly SessionSummary[], flags: LogFlags): Promise<void> {
  if (flags.json) return printJson(sessions)
  if (sessions.length === 0) return printLines(['No sessions yet. Start one with: duolog run "<task>"'])
  return printLines(table(sessions, columns, { color: wantsColor(process.stdout) }))
}
