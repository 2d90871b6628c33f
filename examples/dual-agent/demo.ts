/*
 * The story of the demo: a session is created, three processes serve it, one of them is killed with kill -9 in the
 * middle of a call, another takes its place. This process does none of the work: it follows the log and acts on what it
 * reads there, as anybody with the address of the log could.
 */
import { cp, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type EventStore, openEventStore } from 'duolog'
import {
  followSession,
  KafkaAgentCoordinator,
  readSession,
  type SessionEvent,
  type SessionEventData,
} from 'duolog/agents'
import type { Role } from './agent-process.ts'
import { Crew } from './crew.ts'
import { type ExecutorName, executorNamed } from './executor.ts'
import { line } from './narrate.ts'
import type { Options, Style } from './options.ts'
import { gateCommand, runProjectTests } from './project-tests.ts'
import type { Screen } from './screen.ts'
import { type Kill, type Summary, summarize } from './summary.ts'

const PROJECT = fileURLToPath(new URL('./project', import.meta.url))
const TASK = 'Bring the project to green: finish the functions whose tests fail'
/** The gate finds the tests of a work item by its id, so whoever plans freely has to know the ids. */
const IDS =
  'Plan exactly four work items: "money" (src/money.mjs), "shares" (src/shares.mjs), "settle" (src/settle.mjs; needs both) and "report" (src/report.mjs; needs settle). Each is done when test/ID.test.mjs passes; the tests must not be changed'
const TASKS: Record<ExecutorName, string> = { script: TASK, claude: `${TASK}. ${IDS}.` }
const TIME_LIMIT_MS: Record<ExecutorName, number> = { script: 120_000, claude: 1_800_000 }
/** The work item in whose first attempt the worker is killed. */
const FATAL_ITEM = 'settle'

/** The processes of each style. */
const CAST: Record<Style, readonly Role[]> = {
  choreography: ['coordinator', 'manager', 'worker'],
  orchestration: ['orchestrator'],
}

/** The demo ended early, for a reason its message gives. */
export class DemoStopped extends Error {}
/** By Ctrl-C. */
export class Interrupted extends DemoStopped {}
/** The session waits for money. */
export class OutOfMoney extends DemoStopped {
  /** With so much the next call is made. */
  readonly enoughUsd: number

  constructor({ max, spent, reserved, needed }: SessionEventData['BudgetExceeded']) {
    super(`The budget of $${max} does not allow the next call: it holds $${needed}, and $${spent} are spent.`)
    this.enoughUsd = Math.ceil((spent + reserved + needed + max) * 100) / 100
  }
}

export async function demo(options: Options, screen: Screen): Promise<Summary> {
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Interrupted('Interrupted; nothing is lost.'))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const store = await openEventStore(options.log)
  const crew = new Crew({
    log: options.log,
    sessionId: options.sessionId,
    executor: options.executor,
    onLost: (problem) => stop.abort(new DemoStopped(problem)),
    onNoise: (line) => screen.say(line),
  })
  const limitMs = TIME_LIMIT_MS[options.executor]
  const timer = setTimeout(() => stop.abort(new DemoStopped(`No end after ${limitMs / 1000} s`)), limitMs)
  try {
    return await new Demo(options, { store, crew, screen, signal: stop.signal }).run()
  } finally {
    clearTimeout(timer)
    await crew.stop()
    await store.close()
  }
}

interface Parts {
  readonly store: EventStore
  readonly crew: Crew
  readonly screen: Screen
  readonly signal: AbortSignal
}

class Demo {
  readonly #options: Options
  readonly #parts: Parts
  #fatalCallId: string | undefined
  #kill: Kill | undefined
  /** The next call does not fit into the budget. */
  #isOut = false
  #replacement: Promise<void> | undefined

  constructor(options: Options, parts: Parts) {
    this.#options = options
    this.#parts = parts
  }

  async run(): Promise<Summary> {
    const { store, crew, screen } = this.#parts
    const { sessionId, resume } = this.#options
    const startedAtMs = performance.now()
    if (resume) screen.beginAgain(await readSession(store, sessionId))
    else await this.#createSession()
    // The session exists before anybody serves it: its first task waits in the log.
    await Promise.all([this.#startCrew(), this.#followToTheEnd()])
    await this.#replacement
    const durationMs = Math.round(performance.now() - startedAtMs)
    await crew.stop()
    const view = await readSession(store, sessionId)
    const tests = await runProjectTests(view.workDir)
    return summarize({ options: this.#options, view, tests, kill: this.#kill, durationMs })
  }

  /** Who executes the Worker's calls. */
  get #workingRole(): Role {
    return this.#options.style === 'choreography' ? 'worker' : 'orchestrator'
  }

  async #createSession(): Promise<void> {
    const { store, screen } = this.#parts
    const { sessionId, workDir, executor, approve, budgetUsd } = this.#options
    await mkdir(workDir, { recursive: true })
    await cp(PROJECT, workDir, { recursive: true })
    screen.begin(await runProjectTests(workDir))
    // It makes no call itself. A session that is driven by one process is only created where that could be done.
    const coordinator = new KafkaAgentCoordinator({ store, gates: false, executor: executorNamed(executor) })
    await coordinator.create(TASKS[executor], {
      sessionId,
      workDir,
      settings: {
        // Choreography: whoever reads the task topics does the work, not the process that creates the session.
        dispatch: this.#options.style === 'choreography' ? 'topics' : 'local',
        maxConcurrentTasks: 2,
        gates: [{ gateId: 'tests', command: gateCommand }],
        ...(approve === 'no' ? {} : { approvals: { plan: true } }),
        ...(budgetUsd === undefined ? {} : { budget: { maxUsd: budgetUsd } }),
      },
    })
    await coordinator.close()
  }

  async #startCrew(): Promise<void> {
    const { crew, screen, signal } = this.#parts
    const roles = CAST[this.#options.style]
    const started = await Promise.all(roles.map(async (role) => `${role} (pid ${await crew.start(role)})`))
    signal.throwIfAborted()
    screen.tell(line('started', `${started.join(', ')}; each a process of its own`))
  }

  async #followToTheEnd(): Promise<void> {
    const { store, screen, signal } = this.#parts
    for await (const event of followSession(store, this.#options.sessionId, { signal })) {
      screen.see(event)
      await this.#act(event)
      if (this.#isOut) await this.#stopWhenWaiting()
      if (isEnding(event)) return
    }
    signal.throwIfAborted()
  }

  /** No sleeping and hoping: the log says when the worker is in the middle of something. */
  async #act(event: SessionEvent): Promise<void> {
    const { type, data } = event
    if (type === 'AgentCallInDoubt') this.#parts.screen.tellDoubt(data)
    if (type === 'BudgetExceeded') this.#isOut = true
    if (type === 'BudgetRaised') this.#isOut = false
    if (type === 'ApprovalRequested') await this.#answer(data)
    if (this.#options.resume) return
    if (type === 'TaskAssigned' && data.workItemId === FATAL_ITEM) this.#fatalCallId ??= data.callId
    if (type === 'AgentCallClaimed' && data.callId === this.#fatalCallId) await this.#killWorker(data.callId)
  }

  /** What runs is finished first: it is paid for. */
  async #stopWhenWaiting(): Promise<void> {
    const { status, budget } = await readSession(this.#parts.store, this.#options.sessionId)
    if (status === 'waiting' && budget?.exceeded !== undefined) throw new OutOfMoney(budget.exceeded)
  }

  /** Anybody may answer, from anywhere, days later: `duolog approve`. Here it is whoever watches, or the demo itself. */
  async #answer({ approvalId, subject, input }: SessionEventData['ApprovalRequested']): Promise<void> {
    const { store, screen } = this.#parts
    const { sessionId, approve, executor } = this.#options
    const { approvals } = await readSession(store, sessionId)
    if (approvals.find((approval) => approval.approvalId === approvalId)?.status !== 'requested') return
    const approved = approve !== 'ask' || (await screen.ask(`${input}\nApprove the ${subject}?`))
    const by = approve === 'ask' ? 'at the terminal' : 'by the demo itself: there was nobody to ask'
    const coordinator = new KafkaAgentCoordinator({ store, gates: false, executor: executorNamed(executor) })
    await coordinator.answerApproval(sessionId, approvalId, { approved, reason: by })
    await coordinator.close()
  }

  async #killWorker(callId: string): Promise<void> {
    const { crew, screen } = this.#parts
    const pid = await crew.killHard(this.#workingRole)
    this.#kill = { pid, callId }
    screen.tellKill(this.#kill)
    this.#replacement = this.#replaceWorker()
  }

  /** What a supervisor does (systemd, Kubernetes): it starts another one, and knows nothing of calls. */
  async #replaceWorker(): Promise<void> {
    const { crew, screen } = this.#parts
    const role = this.#workingRole
    screen.tell(line(role, `another one, pid ${await crew.start(role)}, serves in its place`))
  }
}

function isEnding({ type }: SessionEvent): boolean {
  return type === 'SessionCompleted' || type === 'SessionFailed' || type === 'SessionCancelled'
}
