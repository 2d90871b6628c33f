/*
 * The types of the host's surface, by the names it has for them; compatible by structure with its own. All dates are
 * `Date` objects.
 */

/** Who of the two. */
export type AgentRole = 'manager' | 'worker'
/** The models the host offers; another one goes into `settings.models`. */
export type AgentModel = 'opus' | 'sonnet' | 'haiku'
/** Which part of the work is under way. */
export type WorkflowPhase = 'analysis' | 'planning' | 'execution' | 'integration' | 'validation' | 'completion'
/** Where a work item stands; `completed` is one whose review and mandatory gates accepted it. */
export type TaskStatus = 'planned' | 'assigned' | 'in_progress' | 'completed' | 'blocked' | 'failed'
/** What an agent does now; `offline` before the first start. */
export type AgentStatus = 'idle' | 'planning' | 'executing' | 'reviewing' | 'error' | 'offline'
/** What a message between the agents is. Sent are `completion_report` and `quality_check`. */
export type MessageType =
  | 'task_assignment'
  | 'progress_update'
  | 'completion_report'
  | 'error_report'
  | 'quality_check'
  | 'course_correction'
  | 'workflow_transition'
/** What went wrong, roughly. */
export type ErrorType =
  | 'tool_failure'
  | 'communication_error'
  | 'validation_failure'
  | 'timeout'
  | 'resource_unavailable'
/** What a coordination event tells. */
export type CoordinationEventType =
  | 'MANAGER_TASK_ASSIGNMENT'
  | 'WORKER_PROGRESS_UPDATE'
  | 'MANAGER_QUALITY_CHECK'
  | 'AGENT_COORDINATION'
  | 'WORKFLOW_TRANSITION'
  | 'MANAGER_WORKER_HANDOFF'
  | 'HANDOFF_VALIDATION'
  | 'TASK_DELEGATION'
  | 'EXECUTION_COMPLETE'

/** How work is coordinated. */
export interface AgentCoordinatorConfig {
  /** Without effect: nothing is polled. */
  coordinationInterval: number
  /** A review below this score rejects, even when it approves. Default 0.8. */
  qualityGateThreshold: number
  /** Work items at one time. Default 2. */
  maxConcurrentTasks: number
  /** Without effect: every item is reviewed. */
  enableCrossValidation: boolean
  /** Of one call, milliseconds, unless the options of the run say otherwise. Default 180,000, of a review 120,000. */
  timeoutMs: number
  /** How often a call that failed is made again. Default 2. */
  retryAttempts: number
}

/** How one request is worked on. */
export interface SDKDualAgentOptions {
  /**
   * Rounds of the Worker, each of at most `maxConcurrentTasks` calls: with the defaults a session may make 20 calls of
   * the Worker, revisions and retries among them. Default 10, at most 25; 0 means 10. At the limit the session waits, and
   * a start that resumes it gives it as much again.
   */
  maxIterations?: number
  /** Default opus. */
  managerModel?: AgentModel
  /** Default sonnet. */
  workerModel?: AgentModel
  /** Where the Worker works. Default: the current directory. */
  workDir?: string
  /** Told to an executor with `executeWithSDK`. */
  verbose?: boolean
  /** Of every call, milliseconds. */
  timeout?: number
  /** `true`: a session that failed resolves all the same. Default: it rejects with the reason. */
  continueOnError?: boolean
  /** A comma list. */
  allowedTools?: string
}

/** A part of the plan. */
export interface WorkItem {
  id: string
  title: string
  description: string
  acceptanceCriteria: string[]
  /** 1 is done first, 5 last. */
  priority: number
  /** Hours; 0 where the Manager gave none. */
  estimatedEffort: number
  dependencies: string[]
  assignedTo?: AgentRole
  status: TaskStatus
  createdAt: Date
  updatedAt: Date
}

/** What an agent answered. */
export interface SDKAgentResult {
  success: boolean
  output: string
  workItems?: WorkItem[]
  strategy?: string
  error?: string
  artifacts?: string[]
  /** The executor's own session. */
  sessionId?: string
}

/** What one agent told the other. */
export interface AgentMessage<T = Record<string, unknown>> {
  id: string
  from: AgentRole
  to: AgentRole
  type: MessageType
  payload: T
  timestamp: Date
  /** The call it belongs to. */
  correlationId?: string
}

/** The Manager's verdict on one attempt at a work item. */
export interface QualityCheck {
  gateId: string
  workItemId: string
  passed: boolean
  /** 0 to 1, as the reviewer gave it. */
  score: number
  feedback: string[]
  recommendations?: string[]
}

/** Sums over reviews and gates. */
export interface QualityMetrics {
  /** Of the newest review of each item; 0 before the first. */
  averageScore: number
  gatesPassed: number
  gatesFailed: number
  /** Items that failed or are blocked. */
  criticalIssues: number
}

/** Where the work stands. */
export interface WorkflowState {
  phase: WorkflowPhase
  startTime: Date
  totalWorkItems: number
  completedWorkItems: number
  activeWorkItems: string[]
  blockedWorkItems: string[]
  /** 0 to 1. */
  overallProgress: number
  qualityMetrics: QualityMetrics
}

/** Not filled in, as in the host. */
export interface AgentCapability {
  name: string
  proficiency: number
  description: string
}

/** How an agent has done so far. */
export interface PerformanceMetrics {
  /** Of the Manager: plans and reviews. */
  tasksCompleted: number
  averageQualityScore: number
  /** Milliseconds. */
  averageCompletionTime: number
  /** Of its calls that ended: how many failed, 0 to 1. */
  errorRate: number
  /** Of the verdicts: how many accepted, 0 to 1. */
  collaborationScore: number
}

/** One of the two agents. */
export interface AgentState {
  role: AgentRole
  model: AgentModel
  status: AgentStatus
  currentWorkItems: string[]
  capabilities: AgentCapability[]
  performance: PerformanceMetrics
  lastActivity: Date
}

/** Everything about the newest run. */
export interface ExecutionContext {
  /** Names the session in the log, and its session file. Empty before the first start. */
  sessionId: string
  userRequest: string
  workflowState: WorkflowState
  managerState: AgentState
  workerState: AgentState
  communicationHistory: AgentMessage[]
  /** Paths of files that calls made or changed. */
  artifacts: string[]
  config: AgentCoordinatorConfig
}

/** What is done about an error. Unlike the host's, it is acted on before it is told. */
export interface RecoveryStrategy {
  type: 'retry' | 'reassign' | 'skip' | 'escalate'
  maxAttempts: number
  backoffMs: number
  fallbackPlan?: string
}

/** The payload of `agent_error`. */
export interface AgentError {
  id: string
  agentRole: AgentRole
  workItemId?: string
  errorType: ErrorType
  message: string
  stackTrace?: string
  recoveryStrategy?: RecoveryStrategy
  timestamp: Date
}

/** The payload of `coordination_event`. */
export interface CoordinationEvent {
  type: CoordinationEventType
  agentRole: AgentRole
  workItemId?: string
  data: Record<string, unknown>
  timestamp: Date
}

/** Handoffs of all runs of one coordinator. */
export interface HandoffMetrics {
  totalHandoffs: number
  lastHandoffTime: Date | undefined
  /** Per minute of its sessions, two decimals. */
  handoffRate: number
}

/** Whether both agents took part, over all runs of one coordinator. */
export interface HandoffValidation {
  handoffsTriggered: boolean
  workerExecutions: boolean
  managerReviews: boolean
  communicationFlow: boolean
  coordinationType: 'SDK_BASED'
  issues: string[]
}
