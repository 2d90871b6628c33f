import { type Command, InvalidArgumentError } from 'commander'
import type { BudgetLimits } from '../agents/session/budget-settings.ts'
import type { LogFlags } from './log-flags.ts'
import { wholeNumber } from './settings-flags.ts'

/** Limits as they are written on a command line. */
export interface LimitFlags extends LogFlags {
  readonly usd?: number
  readonly calls?: number
  readonly tokens?: number
  readonly turns?: number
  readonly minutes?: number
}

const MINUTE_MS = 60_000

/** `start`: what the minutes count from. */
export function addLimitFlags(command: Command, start: string): Command {
  return command
    .option('--usd <amount>', 'most it may cost', amount)
    .option('--calls <n>', 'most calls of Manager and Worker', wholeNumber(1))
    .option('--tokens <n>', 'most tokens', wholeNumber(1))
    .option('--turns <n>', 'most rounds of the model', wholeNumber(1))
    .option('--minutes <n>', `no call begins later than this after ${start}`, wholeNumber(1))
}

type Limits = Omit<LimitFlags, keyof LogFlags>

export function limitsOf({ usd, calls, tokens, turns, minutes }: Limits): BudgetLimits {
  return {
    ...(usd !== undefined && { maxUsd: usd }),
    ...(calls !== undefined && { maxCalls: calls }),
    ...(tokens !== undefined && { maxTokens: tokens }),
    ...(turns !== undefined && { maxTurns: turns }),
    ...(minutes !== undefined && { maxWallClockMs: minutes * MINUTE_MS }),
  }
}

const READ: { readonly [Name in keyof Limits]-?: (text: string) => number } = {
  usd: amount,
  calls: wholeNumber(1),
  tokens: wholeNumber(1),
  turns: wholeNumber(1),
  minutes: wholeNumber(1),
}

/** Of one role: `usd=3,minutes=40`. */
export function roleLimits(text: string): BudgetLimits {
  const limits: { -readonly [Name in keyof Limits]: number } = {}
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split('=', 2)
    if (!Object.hasOwn(READ, name)) {
      throw new InvalidArgumentError(
        `It must name limits, such as usd=3,minutes=40; there are ${Object.keys(READ).join(', ')}.`,
      )
    }
    limits[name as keyof Limits] = READ[name as keyof Limits](value)
  }
  return limitsOf(limits)
}

/** An amount of money above zero. */
export function amount(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value
  throw new InvalidArgumentError('It must be an amount above 0, such as 2.50.')
}
