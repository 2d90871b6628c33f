import { isDuologError, isExpectedVersionConflict } from '../../src/core/errors.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { type Answer, type Ask, Journal, readJournal, unansweredOf } from './journal.ts'
import { between, pick, seededRandom } from './random.ts'
import { TASK_TOPIC, type WriterTask } from './writer-task.ts'

/*
 * One writer of the chaos: appends to streams it shares with the others, asks again what its predecessor got no answer
 * to, and goes on until it is killed, or until SIGTERM asks it to come to an end in order.
 */

const MAX_EVENTS = 4

class Writer {
  readonly #task: WriterTask
  readonly #store: EventStore
  readonly #journal: Journal
  readonly #random: () => number
  readonly #known = new Map<string, number>()
  readonly #ended = new AbortController()
  #count = 0

  constructor(task: WriterTask, store: EventStore, journal: Journal) {
    this.#task = task
    this.#store = store
    this.#journal = journal
    this.#random = seededRandom(`${task.seed}/${task.name}/${task.life}`)
  }

  end(): void {
    this.#ended.abort()
  }

  async run(): Promise<void> {
    const { predecessor, concurrency, finisher, streams } = this.#task
    const open = predecessor === undefined ? [] : unansweredOf(readJournal(predecessor))
    await this.#journal.write(...open.map((ask) => ({ ...ask, atMs: Date.now() })))
    const again = Promise.all(open.map((ask) => this.#append(ask)))
    await Promise.all([again, ...Array.from({ length: concurrency }, () => this.#work())])
    if (finisher)
      await Promise.all(streams.map((stream) => this.#ask({ ...this.#plain(stream), events: 1, message: true })))
  }

  async #work(): Promise<void> {
    const { concurrency, perSecond } = this.#task
    while (!this.#ended.signal.aborted) {
      await this.#ask(this.#next())
      const pauseMs = (2 * this.#random() * 1000 * concurrency) / perSecond
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  #plain(stream: string): Omit<Ask, 'events'> {
    const key = `${this.#task.name}.${this.#task.life}.${++this.#count}`
    return { kind: 'ask', key, stream, atMs: Date.now() }
  }

  /** Of ten: five that follow whatever is there, four that follow what is known, one that cannot be right. */
  #next(): Ask {
    const stream = pick(this.#random, this.#task.streams)
    const kind = between(this.#random, 1, 10)
    const ask: Ask = {
      ...this.#plain(stream),
      events: this.#random() < 0.1 ? between(this.#random, 2, MAX_EVENTS) : 1,
      ...(this.#random() < 0.2 && { message: true }),
    }
    const known = this.#known.get(stream)
    if (kind <= 5 || known === undefined) return ask
    if (kind <= 9) return { ...ask, expected: known }
    return { ...ask, expected: this.#random() < 0.5 ? known - 1 : known + 100_000, impossible: true }
  }

  async #ask(ask: Ask): Promise<void> {
    await this.#journal.write(ask)
    await this.#append(ask)
  }

  async #append(ask: Ask): Promise<void> {
    const answer = await this.#send(ask)
    await this.#journal.write(answer)
    if (answer.kind === 'unclear' && !this.#ended.signal.aborted) await this.#append(ask)
  }

  async #send(ask: Ask): Promise<Answer> {
    const { key, stream, expected, message } = ask
    const events = Array.from({ length: ask.events }, (_, index) => ({ type: 'Counted', data: { key, index } }))
    try {
      const { currentStreamVersion: version } = await this.#store.appendToStream(stream, events, {
        idempotencyKey: key,
        ...(expected !== undefined && { expectedStreamVersion: expected }),
        ...(message && { outgoing: [{ topic: TASK_TOPIC, key: stream, type: 'Task', data: { key } }] }),
      })
      this.#learn(stream, version)
      return { kind: 'ack', key, version, atMs: Date.now() }
    } catch (error) {
      if (isExpectedVersionConflict(error)) this.#learn(stream, error.current)
      return { ...answerOf(error), key, atMs: Date.now() }
    }
  }

  #learn(stream: string, version: number): void {
    this.#known.set(stream, Math.max(version, this.#known.get(stream) ?? 0))
  }
}

function answerOf(error: unknown) {
  const certain = ['EXPECTED_VERSION_CONFLICT', 'APPEND_TIMEOUT', 'BROKER_REFUSED']
  if (isDuologError(error) && certain.includes(error.code) && !error.message.includes('cannot be told')) {
    return { kind: 'refused' as const, code: error.code }
  }
  return { kind: 'unclear' as const, what: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }
}

async function openPatiently(task: WriterTask): Promise<EventStore> {
  const connection = { brokers: task.brokers.split(','), prefix: task.prefix, clientId: task.name, driver: task.driver }
  for (;;) {
    try {
      return await openKafkaStore(connection, { topics: { 'session.events': { partitions: task.partitions } } })
    } catch (error) {
      if (!isDuologError(error, 'BROKER_UNREACHABLE')) process.stderr.write(`opening: ${String(error)}\n`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

async function main(task: WriterTask): Promise<void> {
  const store = await openPatiently(task)
  const journal = new Journal(task.journal)
  const writer = new Writer(task, store, journal)
  process.once('SIGTERM', () => writer.end())
  process.stdin.once('end', () => process.exit(1)).resume()
  process.stdout.write('ready\n')
  await writer.run()
  await store.close()
  journal.close()
  process.stdin.destroy()
}

await main(JSON.parse(process.argv[2] ?? ''))
