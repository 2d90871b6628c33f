import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { EXECUTORS, type ExecutorName, missingFor } from './executor.ts'

export const HELP = `Two agents bring a small project to green; in the middle one is killed and the work goes on.

Usage
  npm run demo                                        on the embedded log, a file
  npm run demo -- --log kafka://localhost:9092        on Kafka
  npm run demo -- --log kafka                         on a Kafka broker it starts for the demo (Docker, or Java and Maven)
  npm run demo -- --approve --budget-usd 10           asks you before the plan is begun; no call that could pass $10
  npm run demo -- --executor claude --budget-usd 10   with Claude instead of the script: this costs real money

Options
  --style STYLE      choreography (default): a coordinator, a manager and a worker, each a process, react to the log;
                     orchestration: one process drives the session. The same events, the same outcome
  --executor WHO     script (default): no account, no money; claude: Claude Code plans, works and reviews. Needs a key
                     (ANTHROPIC_API_KEY) or a login
  --approve          a person has to approve the plan. Asked on the terminal; without one, or with --yes, the demo itself
                     gives the approval and says so
  --yes              with --approve: do not ask
  --budget-usd N     what all calls together may cost. A call is made only when what it holds ($0.50 a plan or review,
                     $1 a work call) still fits; else the demo ends with exit code 3 and says how to go on
  --log URL          where the events go: file:PATH or kafka://HOST:PORT. Default: a new file in the run's folder
  --dir FOLDER       where the run's folder is made. Default: .duolog
  --resume SESSION   goes on with a run that was interrupted; needs its --log
  --json             one JSON value on stdout at the end; everything else on stderr
  --help

Exit codes: 0 everything was as promised, 1 something was not, 2 usage, 3 waiting for money, 130 interrupted (Ctrl-C).`

export const STYLES = ['choreography', 'orchestration'] as const
/** Who drives the session; see --help. */
export type Style = (typeof STYLES)[number]

export interface Options {
  /** Where the events go; every process of the run opens it. */
  readonly log: string
  /** Start a broker for this run first; its address completes \`log\`. */
  readonly ownBroker: boolean
  readonly style: Style
  readonly executor: ExecutorName
  /** Whether the plan has to be approved, and by whom. */
  readonly approve: 'no' | 'ask' | 'given'
  readonly budgetUsd: number | undefined
  readonly sessionId: string
  readonly resume: boolean
  /** Where the project is copied to. */
  readonly workDir: string
  readonly json: boolean
}

type Read =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'problem'; readonly problem: string }

/** What the command line asks for, or what is wrong with it. */
export function readOptions(args: readonly string[]): Read {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        log: { type: 'string' },
        style: { type: 'string', default: 'choreography' },
        executor: { type: 'string', default: 'script' },
        approve: { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        'budget-usd': { type: 'string' },
        dir: { type: 'string', default: '.duolog' },
        resume: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    return values.help ? { kind: 'help' } : complete(values)
  } catch (error) {
    return problem(error instanceof Error ? error.message : String(error))
  }
}

interface Values {
  readonly log?: string
  readonly style: string
  readonly executor: string
  readonly approve: boolean
  readonly yes: boolean
  readonly 'budget-usd'?: string
  readonly dir: string
  readonly resume?: string
  readonly json: boolean
}

function complete(values: Values): Read {
  const { log, dir, resume, json, style: wanted } = values
  const style = STYLES.find((candidate) => candidate === wanted)
  if (style === undefined) return problem(`--style must be ${STYLES.join(' or ')}, not ${wanted}`)
  const executor = EXECUTORS.find((candidate) => candidate === values.executor)
  if (executor === undefined) return problem(`--executor must be ${EXECUTORS.join(' or ')}, not ${values.executor}`)
  const budget = values['budget-usd']
  const budgetUsd = budget === undefined ? undefined : Number(budget)
  if (budgetUsd !== undefined && !(budgetUsd > 0 && budgetUsd < Infinity)) {
    return problem(`--budget-usd must be a number of dollars above 0, not ${budget}`)
  }
  const missing = missingFor(executor)
  if (missing !== undefined) return problem(missing)
  if (resume !== undefined && log === undefined) return problem('--resume needs the --log of the run')
  if (log?.startsWith('memory:')) {
    return problem('A memory: log lives in one process, and the demo has four. Use file: or kafka:')
  }
  const sessionId = resume ?? `demo-${Date.now().toString(36).slice(-6)}`
  const folder = resolve(dir, sessionId)
  const options = {
    log: log === undefined ? fileUrl(join(folder, 'log.db')) : logUrl(log),
    ownBroker: log === 'kafka',
    style,
    executor,
    approve: approvalOf(values),
    budgetUsd,
    sessionId,
    resume: resume !== undefined,
    workDir: join(folder, 'project'),
    json,
  }
  return { kind: 'options', options }
}

/** Asked only where somebody can answer. */
function approvalOf({ approve, yes, resume }: Values): Options['approve'] {
  if (!approve && resume === undefined) return 'no'
  return yes || !process.stdin.isTTY || !process.stderr.isTTY ? 'given' : 'ask'
}

function problem(problem: string): Read {
  return { kind: 'problem', problem }
}

/** As short as it can be written from here, because people will copy it. */
function fileUrl(path: string): string {
  const near = relative(process.cwd(), path)
  const shortest = near.startsWith('..') ? path : near
  return `file:${shortest.split('/').map(encodeURIComponent).join('/')}`
}

/**
 * On Kafka the demo's topics have a prefix, unless the URL names one: services serve every session of their topics, and
 * scripted agents have nothing to say to anybody else's.
 */
export function logUrl(log: string): string {
  if (!log.startsWith('kafka://')) return log
  const [address, query = ''] = log.split('?')
  const parameters = new URLSearchParams(query)
  if (!parameters.has('prefix')) parameters.set('prefix', 'demo.')
  return `${address}?${parameters}`
}
