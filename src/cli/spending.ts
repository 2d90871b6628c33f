import type { Spending } from '../agents/session/budget.ts'
import { formatUsd } from '../core/format.ts'

/* What a budget has left, of a session or a pool, in words. */

/** `$0.90 of $5.00 spent, $1.00 held` */
export function spentText({ usd, reservedUsd }: Spending, maxUsd: number | undefined): string {
  const spent = ofLimit(formatUsd(usd), maxUsd === undefined ? undefined : formatUsd(maxUsd))
  return `${spent} spent, ${formatUsd(reservedUsd)} held`
}

/** `3 calls of 20` */
export function ofLimit(used: string, limit: number | string | undefined): string {
  return limit === undefined ? used : `${used} of ${limit}`
}
