import type { Command } from 'commander'
import { BudgetPool, type BudgetPoolView } from '../../agents/pool/budget-pool.ts'
import { settleOrphans } from '../../agents/pool/pool-desk.ts'
import { sessionStore } from '../../agents/session/session-events.ts'
import { SessionLog } from '../../agents/session-log.ts'
import { plural } from '../../core/format.ts'
import type { EventStore } from '../../store/event-store.ts'
import { addLimitFlags, type LimitFlags, limitsOf } from '../limit-flags.ts'
import { addLogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { ofLimit, spentText } from '../spending.ts'

const EXAMPLES = `
Examples:
  duolog budget pool create october --usd 50
  duolog run "Fix issue 12" --script agents.json --budget-pool october
  duolog budget pool show october
  duolog budget pool raise october --usd 80   the whole limit, not what is added
  duolog budget pool create tonight --usd 20 --minutes 480`

const CREATION = "the pool's creation"

/** `duolog budget pool create|raise|show`. */
export function addPoolCommands(budget: Command): void {
  const pool = budget.command('pool').description('a budget that many sessions share')
  const create = addLimitFlags(named(pool, 'create', 'make one; twice the same is one'), CREATION)
  finish(create, (store, id, flags) => new BudgetPool(store, id).create(limitsOf(flags)), true)
  const raise = addLimitFlags(
    named(pool, 'raise', 'give it new limits; sessions that wait go on with duolog resume'),
    CREATION,
  )
  finish(raise, (store, id, flags) => new BudgetPool(store, id).raise(limitsOf(flags)))
  finish(named(pool, 'show', 'what is spent and held; settles what dead processes left'), showSettled)
}

function named(pool: Command, name: string, description: string): Command {
  return pool.command(name).description(description).argument('<pool>', 'its id')
}

type Act = (store: EventStore, poolId: string, flags: LimitFlags) => Promise<BudgetPoolView>

function finish(command: Command, act: Act, create = false): void {
  addLogFlags(command, 'the pool')
    .addHelpText('after', EXAMPLES)
    .action((poolId: string, flags: LimitFlags) =>
      withLog(flags.log, async (store) => print(await act(store, poolId, flags), flags), { create }),
    )
}

async function showSettled(store: EventStore, poolId: string): Promise<BudgetPoolView> {
  const pool = new BudgetPool(store, poolId)
  await settleOrphans(new SessionLog(sessionStore(store)), pool)
  return pool.show()
}

function print(view: BudgetPoolView, { json }: LimitFlags): Promise<void> {
  if (json) return printJson(view)
  const { poolId, limits, startedAt, calls, tokens, held } = view
  const { maxUsd, maxCalls, maxTokens, maxWallClockMs } = limits
  const used = [ofLimit(plural(calls, 'call'), maxCalls), ofLimit(`${tokens} tokens`, maxTokens)]
  return printLines([
    `Pool ${poolId}: ${spentText(view, maxUsd)}`,
    `  ${[...used, `${plural(held.length, 'call')} under way`].join(' · ')}`,
    ...timeLines(maxWallClockMs, startedAt),
  ])
}

function timeLines(maxMs: number | undefined, startedAt: string | undefined): string[] {
  if (maxMs === undefined || startedAt === undefined) return []
  return [`  no call begins after ${new Date(Date.parse(startedAt) + maxMs).toISOString()}`]
}
