export type {
  AgentContext,
  AgentExecutor,
  AgentProgress,
  AgentPurpose,
  AgentRequest,
  AgentResult,
  AgentRole,
  AgentUsage,
} from './agents/executor.ts'
