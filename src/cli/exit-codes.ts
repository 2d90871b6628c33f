import type { SessionView } from '../agents/session/view.ts'

/** What a script may rely on; the same list stands in `duolog --help`. */
export const EXIT = {
  completed: 0,
  failed: 1,
  badInput: 2,
  waiting: 3,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_CODES_HELP = `

Exit codes:
    0  completed, or what was asked for is done
    1  the session failed or was cancelled, or an error that is not one of input
    2  usage or bad input: the message says what to put right
    3  the session waits for a person or for money
  130  interrupted (Ctrl-C); the session can be resumed`

/** How a session's end, or halt, is told to a shell. */
export function exitCodeOf({ status }: Pick<SessionView, 'status'>, interrupted: boolean): ExitCode {
  if (status === 'completed') return EXIT.completed
  if (status === 'failed' || status === 'cancelled') return EXIT.failed
  return interrupted ? EXIT.interrupted : EXIT.waiting
}
