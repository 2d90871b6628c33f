import type { KafkaAgentCoordinatorOptions } from '../agents/coordinator-options.ts'
import { KafkaAgentCoordinator } from '../agents/kafka-agent-coordinator.ts'
import type { SessionView } from '../agents/session/view.ts'
import type { EventStore } from '../store/event-store.ts'
import { type ExitCode, exitCodeOf } from './exit-codes.ts'
import { onInterrupt } from './interrupt.ts'
import type { GoOnFlags } from './next-command.ts'
import { printJson, printLines } from './output.ts'
import { SessionWatch } from './session-watch.ts'
import type { Stage } from './stage.ts'
import { goOnLines, summaryLines } from './summary.ts'

export interface OutcomeFlags extends GoOnFlags {
  readonly json?: true
}

export interface SessionRun {
  readonly store: EventStore
  readonly coordinator: KafkaAgentCoordinator
  readonly sessionId: string
  readonly stage: Stage
  /** What happened up to here is not told again. */
  readonly knownVersion: number
  readonly flags: OutcomeFlags
}

/** Uses a coordinator and closes it whatever happens. */
export async function withCoordinator<T>(
  options: KafkaAgentCoordinatorOptions,
  use: (coordinator: KafkaAgentCoordinator) => Promise<T>,
): Promise<T> {
  const coordinator = new KafkaAgentCoordinator(options)
  try {
    return await use(coordinator)
  } finally {
    await coordinator.close()
  }
}

/** Runs a recorded session to its end, shows it meanwhile, prints what became of it. */
export async function runSession(run: SessionRun): Promise<ExitCode> {
  const interrupt = onInterrupt(() => run.stage.screen.print('Stopping in order; Ctrl-C again ends at once.'))
  try {
    const view = await watched(run, interrupt.signal)
    await printOutcome(view, run.flags)
    return exitCodeOf(view, interrupt.signal.aborted)
  } finally {
    interrupt.release()
  }
}

async function watched(run: SessionRun, signal: AbortSignal): Promise<SessionView> {
  const { store, sessionId, stage, knownVersion, coordinator } = run
  const watch = new SessionWatch({ store, sessionId, screen: stage.screen, knownVersion })
  stage.watch = watch
  try {
    const view = await coordinator.resume(sessionId, { signal, onWait: (reason) => stage.screen.print(reason) })
    await watch.finish(view.version)
    return view
  } finally {
    watch.stop()
  }
}

/** The result on stdout; how to go on, too, or with --json on stderr. */
export async function printOutcome(view: SessionView, flags: OutcomeFlags): Promise<void> {
  const goOn = goOnLines(view, flags)
  if (!flags.json) return printLines([...summaryLines(view), ...goOn])
  process.stderr.write(`${goOn.join('\n')}\n`)
  await printJson(view)
}
