export { type ApprovalCallbackOptions, approvalCallback } from './agents/approval-callback.ts'
export { cassetteFromSession } from './agents/cassette-from-session.ts'
export {
  type ComparedItem,
  type ComparedOutcome,
  type ComparedSession,
  compareSessions,
  type ModelDifference,
  type SessionComparison,
} from './agents/compare-sessions.ts'
export type {
  AgentResponse,
  ForkOptions,
  KafkaAgentCoordinatorOptions,
  PauseOptions,
  ResumeOptions,
  RunOptions,
  SentTask,
} from './agents/coordinator-options.ts'
export {
  AgentCommandHandler,
  type AgentCommandHandlerOptions,
  type CommandAccepted,
} from './agents/cqrs/agent-command-handler.ts'
export { AgentCommandService } from './agents/cqrs/agent-command-service.ts'
export {
  type AgentCommand,
  type AgentCommandInput,
  type AgentCommandName,
  agentCommandSchemas,
} from './agents/cqrs/agent-commands.ts'
export {
  AgentQueryService,
  type AgentQueryServiceOptions,
  type ListSessionsOptions,
  type QueryOptions,
  type SessionListItem,
} from './agents/cqrs/agent-query-service.ts'
export {
  type CostRow,
  type SessionProjectionRow,
  type SessionRow,
  sessionProjection,
  type UnknownSession,
  type WorkItemRow,
} from './agents/cqrs/session-projection.ts'
export {
  dualAgentWorkflow,
  type WorkflowMessage,
  type WorkflowState,
  type WorkflowTimeouts,
} from './agents/dual-agent-workflow.ts'
export {
  DualAgentWorkflowSaga,
  type DualAgentWorkflowSagaOptions,
} from './agents/dual-agent-workflow-saga.ts'
export {
  type AgentContext,
  type AgentExecutor,
  type AgentProgress,
  type AgentPurpose,
  type AgentRequest,
  type AgentResult,
  type AgentRole,
  type AgentUsage,
  ExecutorFailedError,
  type ExecutorFailedOptions,
  type FailedBecause,
  type ModelUsage,
  type PaidFor,
  type ToolCall,
  type WorkDirChanges,
} from './agents/executor.ts'
export {
  type Cassette,
  cassetteOf,
  cassetteSchema,
  type RecordedRequest,
  type Recording,
} from './agents/executors/cassette.ts'
export { type ClaudeExecutorOptions, claudeExecutor } from './agents/executors/claude-executor.ts'
export { type LoadExecutorOptions, loadExecutorModule } from './agents/executors/executor-module.ts'
export { type GuardOptions, guardedExecutor } from './agents/executors/guarded-executor.ts'
export {
  fromExecuteWithSDK,
  type HostCallOptions,
  type HostCallResult,
  type HostExecutor,
} from './agents/executors/host-executor.ts'
export { type JournalEntry, journaledExecutor } from './agents/executors/journal.ts'
export { type ProcessExecutorOptions, processExecutor } from './agents/executors/process-executor.ts'
export { type RecordingOptions, recordingExecutor } from './agents/executors/recording-executor.ts'
export { replayExecutor } from './agents/executors/replay-executor.ts'
export { type ResilientOptions, resilientExecutor } from './agents/executors/resilient-executor.ts'
export { type ScriptInput, scriptSchema } from './agents/executors/script.ts'
export { type ScriptedExecutorOptions, scriptedExecutor } from './agents/executors/scripted-executor.ts'
export { followSession } from './agents/follow-session.ts'
export type { ForkChanges, Forked } from './agents/fork-session.ts'
export { type CommandGate, commandGate, type GateContext } from './agents/gates/command-gate.ts'
export { type GateAnswer, type GateFunction, type GateRunner, gateRunner } from './agents/gates/gate-runner.ts'
export {
  EventDrivenQualityGates,
  type QualityCheck,
  type QualityGateOptions,
  QualityGateProcessor,
} from './agents/gates/quality-gates.ts'
export { KafkaAgentCoordinator } from './agents/kafka-agent-coordinator.ts'
export { type KeepOutput, readCallOutput } from './agents/large-outputs.ts'
export { BudgetPool, type BudgetPoolView, type PoolMisfit } from './agents/pool/budget-pool.ts'
export type { PoolReservation, PoolState } from './agents/pool/pool-decider.ts'
export type { ReviewedGate } from './agents/prompts/gate-line.ts'
export type { AcceptedItem, GatePromptInput } from './agents/prompts/gate-prompt.ts'
export type { PlanPromptInput } from './agents/prompts/plan-prompt.ts'
export { loadPromptsModule } from './agents/prompts/prompts-module.ts'
export type { ReviewPromptInput } from './agents/prompts/review-prompt.ts'
export {
  type OwnPrompts,
  type Prompt,
  packagePrompts,
  type SessionPrompts,
} from './agents/prompts/session-prompts.ts'
export type { WorkPromptInput } from './agents/prompts/work-prompt.ts'
export { listSessions, readSession, type SessionSummary } from './agents/read-sessions.ts'
export { createRedactor, type Redact, type RedactorOptions } from './agents/redact.ts'
export { ManagerAgentService, type RoleServiceOptions, WorkerAgentService } from './agents/role-services.ts'
export type { SessionAction } from './agents/session/actions.ts'
export type { Spending } from './agents/session/budget.ts'
export { type Budget, type BudgetLimits, budgetSchema, limitsSchema } from './agents/session/budget-settings.ts'
export type {
  CallObservation,
  ClaimFor,
  GateReport,
  SessionCommand,
  SessionRequest,
} from './agents/session/commands.ts'
export { gateSchema, type QualityGate } from './agents/session/gate-settings.ts'
export { nextActions } from './agents/session/next-actions.ts'
export {
  type SessionEvent,
  type SessionEventData,
  type SessionEventName,
  sessionEventAliases,
  sessionEventData,
} from './agents/session/schemas.ts'
export { sessionEvents } from './agents/session/session-events.ts'
export {
  type DoubtPolicy,
  type SessionSettings,
  type SessionSettingsInput,
  settingsSchema,
} from './agents/session/settings.ts'
export type {
  ApprovalState,
  CallPurpose,
  CallRole,
  CallState,
  CallStatus,
  GateOutcome,
  GateRound,
  ReviewVerdict,
  SessionState,
  SessionStatus,
  TimeScope,
  WorkItemState,
  WorkItemStatus,
} from './agents/session/state.ts'
export { type GrownStateMap, StateMap, type StateMapChunk, type StateMapEntry } from './agents/session/state-map.ts'
export type { Tally } from './agents/session/tally.ts'
export type {
  BudgetView,
  CallView,
  SessionTotals,
  SessionView,
  UsageView,
  WorkItemView,
} from './agents/session/view.ts'
export { sessionDecider } from './agents/session-log.ts'
export {
  EventSourcedSessionManager,
  type SessionManagerOptions,
} from './agents/sessions/event-sourced-session-manager.ts'
export { SessionEventStore } from './agents/sessions/session-event-store.ts'
export { SessionStateProjection } from './agents/sessions/session-state-projection.ts'
export {
  type Plan,
  type PlannedWorkItem,
  plannedWorkItemSchema,
  planSchema,
  type Review,
  reviewSchema,
} from './agents/structured-output.ts'
export { AGENT_TASK, type AgentTask, agentTaskSchema, QUALITY_GATE_RESULT, taskTopics } from './agents/tasks.ts'
export { VERSION } from './agents/version.ts'
export type { WorkflowCommand, WorkflowEvent, WorkflowPlace, WorkflowRequest } from './agents/workflow-events.ts'
export { WorkflowOrchestrator, type WorkflowOrchestratorOptions } from './agents/workflow-orchestrator.ts'
export type { Workflow, Workspace } from './agents/workflow-worker.ts'
export { LiveTree, type TreeStream } from './cli/render/live-tree.ts'
export type { TreeItem, TreeView } from './cli/render/tree.ts'
export { SessionTree } from './cli/session-tree.ts'
