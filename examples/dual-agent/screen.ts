import { createInterface } from 'node:readline/promises'
import type { RecordedEvent } from 'duolog'
import { LiveTree, type SessionEvent, type SessionEventData, SessionTree, type SessionView } from 'duolog/agents'
import { line, narrate } from './narrate.ts'
import type { Options } from './options.ts'
import type { TestResult } from './project-tests.ts'
import { reportLines } from './report.ts'
import type { Kill, Summary } from './summary.ts'

/** Tells the story on stderr: a live tree on a terminal, lines elsewhere. Only the report goes to stdout. */
export class Screen {
  readonly #options: Options
  readonly #startedAtMs = Date.now()
  readonly #live = new LiveTree(process.stderr)
  readonly #tree: SessionTree

  constructor(options: Options) {
    this.#options = options
    this.#tree = new SessionTree(options.sessionId, performance.now())
  }

  begin({ counts }: TestResult): void {
    const { sessionId, log, workDir, executor } = this.#options
    const who = executor === 'script' ? 'scripted: no account, no money, no model' : 'Claude: this costs real money'
    this.say(`A Manager and a Worker bring a small project to green. Both are ${who}.`)
    this.say(`  project  ${workDir} (its tests before: ${counts})`)
    this.say(`  log      ${log}`)
    this.say(`  session  ${sessionId}`)
    this.say('')
  }

  beginAgain({ sessionId, status, version }: SessionView): void {
    this.say(`Going on with ${sessionId} (${status}, ${version} events so far), in its folder and from its log.`)
    this.say('')
  }

  say(text: string): void {
    this.#live.print(text)
  }

  see(event: RecordedEvent<SessionEvent>): void {
    this.#tree.see(event, performance.now())
    if (process.stderr.isTTY) this.#live.update(this.#tree.view(performance.now()))
    const text = narrate(event)
    if (text !== undefined && this.#mustBeTold(event)) this.tell(text, Date.parse(event.timestamp))
  }

  /** Where there is a tree it shows the rest. */
  #mustBeTold({ type, data }: SessionEvent): boolean {
    return !process.stderr.isTTY || (type === 'QualityGateResult' && !data.passed)
  }

  /** A line of the story, with its time. */
  tell(text: string, atMs = Date.now()): void {
    const seconds = Math.max(0, atMs - this.#startedAtMs) / 1000
    this.say(`${seconds.toFixed(1).padStart(5)}s  ${text}`)
  }

  tellKill({ pid, callId }: Kill): void {
    this.tell(line('KILL -9', `the Worker, pid ${pid}, in the middle of ${callId}; only the log knows it had begun`))
  }

  tellDoubt({ callId, reason }: SessionEventData['AgentCallInDoubt']): void {
    this.tell(line('IN DOUBT', `${callId}: ${reason}; policy "retry": asked again`))
  }

  /** A question to whoever sits at the terminal. */
  async ask(question: string): Promise<boolean> {
    this.stop()
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await terminal.question(`${question} [y/N] `)
    terminal.close()
    return /^y(es)?$/i.test(answer.trim())
  }

  stop(): void {
    this.#live.stop()
  }

  end(summary: Summary): void {
    this.stop()
    const lines = this.#options.json ? [JSON.stringify(summary)] : ['', ...reportLines(summary, this.#options)]
    process.stdout.write(`${lines.join('\n')}\n`)
    for (const problem of summary.problems) console.error(`NOT AS PROMISED: ${problem}`)
  }
}
