import type { Command } from 'commander'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import { listApprovals, type RequestedApproval } from '../../agents/read-sessions.ts'
import type { SessionView } from '../../agents/session/view.ts'
import { DuologError } from '../../core/errors.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { wantsColor } from '../render/paint.ts'
import { type Column, table } from '../render/table.ts'
import { printOutcome } from '../run-session.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

type AnswerFlags = LogFlags & { readonly reason?: string; readonly revise?: true }

const EXAMPLES = `
Examples:
  duolog approvals
  duolog approve SESSION plan
  duolog deny SESSION work:parser --reason "not before the release"
  duolog deny SESSION verdict:parser:3 --revise --reason "use integers"`

/** `duolog approvals`, `duolog approve`, `duolog deny`. */
export function addApprovalCommands(program: Command): void {
  const command = program.command('approvals').description('list what sessions wait for a person to approve')
  addLogFlags(command, 'a list of approvals')
    .addHelpText('after', EXAMPLES)
    .action((flags: LogFlags) => withLog(flags.log, async (store) => print(await listApprovals(store), flags)))
  addAnswerCommand(program, { name: 'approve', approved: true, about: 'let a session go on with what it asked for' })
  addAnswerCommand(program, { name: 'deny', approved: false, about: 'refuse what a session asked for' })
}

interface Answer {
  readonly name: string
  readonly approved: boolean
  readonly about: string
}

function addAnswerCommand(program: Command, { name, approved, about }: Answer): void {
  const command = program
    .command(name)
    .description(`${about}; duolog resume goes on`)
    .argument('<session>', SESSION_ID)
    .argument('<approval>', 'id of the approval, from duolog approvals')
    .option('--reason <text>', 'is recorded')
  if (!approved) command.option('--revise', 'of a rejected work item: not failed, but sent back with the reason')
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, approval: string, flags: AnswerFlags) => {
      await withLog(flags.log, async (store) => {
        const { reason, revise } = flags
        const answer = { approved, ...(reason !== undefined && { reason }), ...(revise && { revise }) }
        const view = await new KafkaAgentCoordinator({ store }).answerApproval(
          await sessionNamed(store, session),
          approval,
          answer,
        )
        refuseOtherAnswer(view, approval, answer)
        await printOutcome(view, flags)
      })
    })
}

type Given = { readonly approved: boolean; readonly revise?: true }

/** The same answer twice is one; what was answered otherwise, or was given up with its session, is refused. */
function refuseOtherAnswer({ approvals, status }: SessionView, approvalId: string, { approved, revise }: Given): void {
  const known = approvals.find((candidate) => candidate.approvalId === approvalId)
  const wanted = revise ? 'revised' : approved ? 'given' : 'denied'
  if (known === undefined || known.status === wanted) return
  const why =
    known.status === 'requested' ? `asks no more: its session is ${status}` : `was answered before: ${known.status}`
  throw new DuologError('INVALID_ARGUMENT', `Approval ${approvalId} ${why}. Nothing was changed.`)
}

const columns: readonly Column<RequestedApproval>[] = [
  { header: 'session', value: ({ sessionId }) => sessionId },
  { header: 'approval', value: ({ approvalId }) => approvalId },
  { header: 'until', value: ({ expiresAt = '', escalated }) => (escalated ? 'overdue' : expiresAt) },
  { header: 'about', value: ({ input }) => input.replaceAll('\n', ' · '), maxWidth: 80 },
]

function print(approvals: readonly RequestedApproval[], flags: LogFlags): Promise<void> {
  if (flags.json) return printJson(approvals)
  if (approvals.length === 0) return printLines(['No session waits for an approval.'])
  return printLines(table(approvals, columns, { color: wantsColor(process.stdout) }))
}
