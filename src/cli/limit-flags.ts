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
}

export function addLimitFlags(command: Command): Command {
  return command
    .option('--usd <amount>', 'most it may cost', amount)
    .option('--calls <n>', 'most calls of Manager and Worker', wholeNumber(1))
    .option('--tokens <n>', 'most tokens', wholeNumber(1))
    .option('--turns <n>', 'most rounds of the model', wholeNumber(1))
}

export function limitsOf({ usd, calls, tokens, turns }: LimitFlags): BudgetLimits {
  return {
    ...(usd !== undefined && { maxUsd: usd }),
    ...(calls !== undefined && { maxCalls: calls }),
    ...(tokens !== undefined && { maxTokens: tokens }),
    ...(turns !== undefined && { maxTurns: turns }),
  }
}

/** An amount of money above zero. */
export function amount(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value
  throw new InvalidArgumentError('It must be an amount above 0, such as 2.50.')
}
