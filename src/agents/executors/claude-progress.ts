/* What Claude does, for people who watch: a line when there is something to say, not one per event. */

const MAX_DETAIL_CHARS = 120
const MAX_JOINED = 5
const MAX_MESSAGES = 1_000
const EVERY_MS = 250

/** Holds what comes in quick succession and says it together; falls silent after 1,000 messages. */
export class CoalescedProgress {
  readonly #say: (message: string) => void
  #held: string[] = []
  #said = 0
  #timer: NodeJS.Timeout | undefined

  constructor(say: (message: string) => void) {
    this.#say = say
  }

  add(message: string): void {
    this.#held.push(message)
    this.#timer ??= setTimeout(() => this.flush(), EVERY_MS)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const held = this.#held
    this.#held = []
    if (held.length === 0 || this.#said++ >= MAX_MESSAGES) return
    const more = held.length > MAX_JOINED ? ` · and ${held.length - MAX_JOINED} more` : ''
    this.#say(`${held.slice(0, MAX_JOINED).join(' · ')}${more}`)
  }
}

/** `Bash: npm test`, `Write: src/a.ts`. */
export function describeToolCall(name: string, input: unknown): string {
  const detail = toolDetail(input)
  return detail === undefined ? name : `${name}: ${detail}`
}

const TELLING = ['command', 'file_path', 'notebook_path', 'path', 'pattern', 'url', 'query', 'description']

/** What a tool was used on, in a line. */
export function toolDetail(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined
  const values = input as Record<string, unknown>
  const found = TELLING.map((key) => values[key]).find((value) => typeof value === 'string' && value !== '')
  const line = (found as string | undefined)?.split('\n', 1)[0]
  return line !== undefined && line.length > MAX_DETAIL_CHARS ? `${line.slice(0, MAX_DETAIL_CHARS)}…` : line
}
