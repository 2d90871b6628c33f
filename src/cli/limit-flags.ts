import { type Command, InvalidArgumentError } from 'commander'
import type { BudgetLimits } from '../agents/session/budget-settings.ts'
import { amount, namedValues, wholeNumber } from './flag-values.ts'
import type { LogFlags } from './log-flags.ts'

const read = {
  usd: amount,
  calls: wholeNumber(1),
  tokens: wholeNumber(1),
  turns: wholeNumber(1),
  minutes: wholeNumber(1),
} as const

type LimitName = keyof typeof read
/** Limits as they are written on a command line. */
type Limits = { readonly [Name in LimitName]?: number | undefined }
export type LimitFlags = Limits & LogFlags

export const MINUTE_MS = 60_000

/** `start`: what the minutes count from. */
export function addLimitFlags(command: Command, start: string): Command {
  return command
    .option('--usd <amount>', 'most it may cost', read.usd)
    .option('--calls <n>', 'most calls of Manager and Worker', read.calls)
    .option('--tokens <n>', 'most tokens', read.tokens)
    .option('--turns <n>', 'most rounds of the model', read.turns)
    .option('--minutes <n>', `no call begins later than this after ${start}`, read.minutes)
}

export function limitsOf({ usd, calls, tokens, turns, minutes }: Limits): BudgetLimits {
  return {
    ...(usd !== undefined && { maxUsd: usd }),
    ...(calls !== undefined && { maxCalls: calls }),
    ...(tokens !== undefined && { maxTokens: tokens }),
    ...(turns !== undefined && { maxTurns: turns }),
    ...(minutes !== undefined && { maxWallClockMs: minutes * MINUTE_MS }),
  }
}

/** Of one role: `usd=3,minutes=40`. */
export function roleLimits(text: string): BudgetLimits {
  const given = Object.entries(namedValues(text))
  if (given.every(([name]) => Object.hasOwn(read, name))) {
    return limitsOf(Object.fromEntries(given.map(([name, value = '']) => [name, read[name as LimitName](value)])))
  }
  const names = Object.keys(read).join(', ')
  throw new InvalidArgumentError(`It must name limits, such as usd=3,minutes=40; there are ${names}.`)
}
