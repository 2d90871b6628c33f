import { type Command, Option } from 'commander'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import type { BudgetRaised } from '../../agents/session/schemas.ts'
import { DuologError } from '../../core/errors.ts'
import { addLimitFlags, type LimitFlags, limitsOf } from '../limit-flags.ts'
import { addLogFlags, withLog } from '../log-flags.ts'
import { printOutcome } from '../run-session.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'
import { perCallUsd } from '../settings-flags.ts'
import { addPoolCommands } from './budget-pool.ts'

interface RaiseFlags extends LimitFlags {
  readonly perCallUsd?: BudgetRaised['perCallUsd']
  readonly role?: 'manager' | 'worker'
}

const EXAMPLES = `
Examples:
  duolog budget raise SESSION --usd 5        the whole limit, not what is added
  duolog budget raise SESSION --calls 40 --role worker
  duolog budget raise SESSION --per-call-usd work=3   when a call stopped at what it may spend
  duolog budget raise SESSION --minutes 90   from the session's start
  duolog budget raise SESSION --minutes 120 --role worker`

/** `duolog budget raise` and `duolog budget pool`. */
export function addBudgetCommand(program: Command): void {
  const budget = program.command('budget').description('the limits of a session, and budgets that sessions share')
  const command = budget
    .command('raise')
    .description('give a session that waits for money new limits; duolog resume goes on')
    .argument('<session>', SESSION_ID)
  addLimitFlags(command, "the session's start")
    .option('--per-call-usd <amount>', 'most one call may cost; or by purpose, work=3,review=0.5', perCallUsd)
    .addOption(new Option('--role <role>', 'the limits of one role').choices(['manager', 'worker']))
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, flags: RaiseFlags) => {
      const limits = raisedBy(flags)
      await withLog(flags.log, async (store) => {
        const sessionId = await sessionNamed(store, session)
        await printOutcome(await new KafkaAgentCoordinator({ store }).raiseBudget(sessionId, limits), flags)
      })
    })
  addPoolCommands(budget)
}

function raisedBy(flags: RaiseFlags): BudgetRaised {
  const { role, perCallUsd } = flags
  const limits = limitsOf(flags)
  if (Object.keys(limits).length === 0 && perCallUsd === undefined) {
    const names = '--usd, --calls, --tokens, --turns, --minutes or --per-call-usd'
    throw new DuologError('INVALID_ARGUMENT', `Say which limit: ${names}.`)
  }
  if (perCallUsd !== undefined && role !== undefined) {
    const message = 'What one call may cost is limited by its purpose, not for a role: leave --role out.'
    throw new DuologError('INVALID_ARGUMENT', message)
  }
  return {
    ...limits,
    ...(perCallUsd && { perCallUsd }),
    ...(role !== undefined && { role }),
  }
}
