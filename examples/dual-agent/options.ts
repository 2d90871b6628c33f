import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

export const HELP = `Two agents bring a small project to green; in the middle one is killed and the work goes on.

Usage
  npm run demo                                        on the embedded log, a file
  npm run demo -- --log kafka://localhost:9092        on Kafka
  npm run demo -- --log kafka                         on a Kafka broker it starts for the demo (Docker, or Java and Maven)

Options
  --style STYLE      choreography (default): a coordinator, a manager and a worker, each a process, react to the log;
                     orchestration: one process drives the session. The same events, the same outcome
  --log URL          where the events go: file:PATH or kafka://HOST:PORT. Default: a new file in the run's folder
  --dir FOLDER       where the run's folder is made. Default: .duolog
  --resume SESSION   goes on with a run that was interrupted; needs its --log
  --json             one JSON value on stdout at the end; everything else on stderr
  --help

Exit codes: 0 everything was as promised, 1 something was not, 2 usage, 130 interrupted (Ctrl-C).`

export const STYLES = ['choreography', 'orchestration'] as const
/** Who drives the session; see --help. */
export type Style = (typeof STYLES)[number]

export interface Options {
  /** Where the events go; every process of the run opens it. */
  readonly log: string
  /** Start a broker for this run first; its address completes \`log\`. */
  readonly ownBroker: boolean
  readonly style: Style
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
  readonly dir: string
  readonly resume?: string
  readonly json: boolean
}

function complete({ log, dir, resume, json, style: wanted }: Values): Read {
  const style = STYLES.find((candidate) => candidate === wanted)
  if (style === undefined) return problem(`--style must be ${STYLES.join(' or ')}, not ${wanted}`)
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
    sessionId,
    resume: resume !== undefined,
    workDir: join(folder, 'project'),
    json,
  }
  return { kind: 'options', options }
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
