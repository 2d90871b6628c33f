import { coordinator } from './coordinator-checks.ts'
import type { KafkaAgentCoordinatorOptions, ResumeOptions, RunOptions } from './coordinator-options.ts'
import { KafkaAgentCoordinator } from './kafka-agent-coordinator.ts'
import type { SessionView } from './session/view.ts'

/** What {@link WorkflowOrchestrator} takes; both roles are served here. */
export type WorkflowOrchestratorOptions = Omit<KafkaAgentCoordinatorOptions, 'concurrency'>

/**
 * Orchestration: one process asks the session what is due and has it done, call by call. Choreography is the same session
 * asked by services, each for its own role (`ManagerAgentService`, `WorkerAgentService`, and a started
 * `KafkaAgentCoordinator` for gates and crashes): the same events, the same outcome.
 */
export class WorkflowOrchestrator {
  readonly #coordinator: KafkaAgentCoordinator

  /** @throws INVALID_ARGUMENT naming the field, of `settings`, too */
  constructor(options: WorkflowOrchestratorOptions) {
    coordinator(options, 'options of WorkflowOrchestrator')
    this.#coordinator = new KafkaAgentCoordinator({ ...options, settings: { ...options.settings, dispatch: 'local' } })
  }

  /** As {@link KafkaAgentCoordinator.run}, executed by this process. */
  run(task: string, options: RunOptions = {}): Promise<SessionView> {
    const settings = { ...options.settings, dispatch: 'local' } as const
    return this.#coordinator.run(task, { ...options, settings })
  }

  /** As {@link KafkaAgentCoordinator.resume}. */
  resume(sessionId?: string, options?: ResumeOptions): Promise<SessionView> {
    return this.#coordinator.resume(sessionId, options)
  }

  /** As {@link KafkaAgentCoordinator.close}. */
  close(): Promise<void> {
    return this.#coordinator.close()
  }
}
