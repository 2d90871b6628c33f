import type { SessionSettingsInput } from '../agents/session/settings.ts'
import type { AgentCoordinatorConfig, SDKDualAgentOptions } from './host-types.ts'

/* The host's config and options as the settings of a session. */

export interface Asked {
  readonly config: Partial<AgentCoordinatorConfig>
  readonly options: SDKDualAgentOptions
  /** Win over what follows from config and options. */
  readonly settings?: SessionSettingsInput | undefined
}

const DEFAULTS: AgentCoordinatorConfig = {
  coordinationInterval: 15_000,
  qualityGateThreshold: 0.8,
  maxConcurrentTasks: 2,
  enableCrossValidation: true,
  timeoutMs: 180_000,
  retryAttempts: 2,
}

const MOST_ATTEMPTS = 10
const DEFAULT_ITERATIONS = 10
const MOST_ITERATIONS = 25

/** What is left out, or undefined, is the default. */
export function fullConfig(config: Partial<AgentCoordinatorConfig>): AgentCoordinatorConfig {
  const given = Object.entries(config).filter(([, value]) => value !== undefined)
  return { ...DEFAULTS, ...Object.fromEntries(given) }
}

/** Calls of the Worker that one start allows: `maxIterations` rounds of `maxConcurrentTasks`. */
export function workerCallsAllowed({ config, options }: Asked): number {
  const iterations = Math.min(options.maxIterations || DEFAULT_ITERATIONS, MOST_ITERATIONS)
  return iterations * fullConfig(config).maxConcurrentTasks
}

export function settingsFor(asked: Asked): SessionSettingsInput {
  const { config, options, settings = {} } = asked
  const { qualityGateThreshold, maxConcurrentTasks, retryAttempts } = fullConfig(config)
  const tools = toolsOf(options.allowedTools)
  return {
    minQualityScore: qualityGateThreshold,
    maxConcurrentTasks,
    maxCallAttempts: Math.min(1 + retryAttempts, MOST_ATTEMPTS),
    ...timeoutsOf(options.timeout || config.timeoutMs),
    ...(tools && { allowedTools: tools }),
    ...settings,
    models: { ...modelsOf(options), ...settings.models },
    budget: {
      ...settings.budget,
      roles: { worker: { maxCalls: workerCallsAllowed(asked) }, ...settings.budget?.roles },
    },
  }
}

export function modelsOf({ managerModel, workerModel }: SDKDualAgentOptions) {
  return { manager: managerModel || 'opus', worker: workerModel || 'sonnet' } as const
}

function timeoutsOf(timeoutMs: number | undefined): Pick<SessionSettingsInput, 'timeoutsMs'> {
  return timeoutMs ? { timeoutsMs: { plan: timeoutMs, work: timeoutMs, review: timeoutMs } } : {}
}

function toolsOf(list: string | undefined): string[] | undefined {
  const tools = (list ?? '').split(',').map((tool) => tool.trim())
  const named = tools.filter((tool) => tool !== '')
  return named.length > 0 ? named : undefined
}
