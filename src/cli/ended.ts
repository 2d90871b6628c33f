import type { SessionView } from '../agents/session/view.ts'

/** Nothing will happen to it any more. */
export function isEnded({ status }: Pick<SessionView, 'status'>): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}
