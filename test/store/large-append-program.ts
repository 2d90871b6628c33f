import { onReach } from '../../src/core/reach.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/*
 * A process that appends a small event, a large one and a small one in one append with an idempotency key, says what it was
 * answered, and at a named point, the n-th time it gets there, kills itself.
 */

export interface LargeAppendProgram {
  readonly url: string
  readonly stream: string
  readonly idempotencyKey: string
  /** Characters of the large event's text. */
  readonly size: number
  readonly dieAt?: { readonly point: string; readonly time: number }
}

/** Other text for other keys, and the same for the same. */
export function textOf({ idempotencyKey, size }: Pick<LargeAppendProgram, 'idempotencyKey' | 'size'>): string {
  return `${idempotencyKey} `.repeat(Math.ceil(size / (idempotencyKey.length + 1))).slice(0, size)
}

async function main({ dieAt, url, ...task }: LargeAppendProgram): Promise<void> {
  const store = await openEventStore(url)
  let times = 0
  onReach((point) => {
    if (point === dieAt?.point && ++times === dieAt.time) process.kill(process.pid, 'SIGKILL')
  })
  const { stream, idempotencyKey } = task
  const events = [
    { type: 'Begun', data: { idempotencyKey } },
    { type: 'Answered', data: { text: textOf(task) } },
    { type: 'Ended', data: { idempotencyKey } },
  ]
  const { firstStreamPosition, repeated } = await store.appendToStream(stream, events, { idempotencyKey })
  process.stdout.write(`${JSON.stringify({ firstStreamPosition, repeated })}\n`)
  await store.close()
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]))
