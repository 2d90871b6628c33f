import { type Command, InvalidArgumentError } from 'commander'
import { KafkaAgentCoordinator } from '../../agents/kafka-agent-coordinator.ts'
import type { BudgetRaised } from '../../agents/session/schemas.ts'
import { DuologError } from '../../core/errors.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printOutcome } from '../run-session.ts'
import { wholeNumber } from '../settings-flags.ts'

interface RaiseFlags extends LogFlags {
  readonly usd?: number
  readonly calls?: number
  readonly tokens?: number
}

const EXAMPLES = `
Examples:
  duolog budget raise SESSION --usd 5        the whole limit, not what is added
  duolog budget raise SESSION --calls 40`

export function addBudgetCommand(program: Command): void {
  const command = program
    .command('budget')
    .description('the limits of a session')
    .command('raise')
    .description('give a session that waits for money new limits; duolog resume goes on')
    .argument('<session>', 'its id')
    .option('--usd <amount>', 'most it may cost', amount)
    .option('--calls <n>', 'most calls of Manager and Worker', wholeNumber(1))
    .option('--tokens <n>', 'most tokens', wholeNumber(1))
  addLogFlags(command, 'the session')
    .addHelpText('after', EXAMPLES)
    .action(async (session: string, flags: RaiseFlags) => {
      const limits = limitsOf(flags)
      await withLog(flags.log, async (store) => {
        await printOutcome(await new KafkaAgentCoordinator({ store }).raiseBudget(session, limits), flags)
      })
    })
}

function limitsOf({ usd, calls, tokens }: RaiseFlags): BudgetRaised {
  if ((usd ?? calls ?? tokens) === undefined) {
    throw new DuologError('INVALID_ARGUMENT', 'Say which limit: --usd, --calls or --tokens.')
  }
  return {
    ...(usd !== undefined && { maxUsd: usd }),
    ...(calls !== undefined && { maxCalls: calls }),
    ...(tokens !== undefined && { maxTokens: tokens }),
  }
}

/** An amount of money above zero. */
export function amount(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value
  throw new InvalidArgumentError('It must be an amount above 0, such as 2.50.')
}
