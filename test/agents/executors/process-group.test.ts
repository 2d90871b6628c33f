import { expect, it } from 'vitest'
import { GONE_WITHIN_MS, KILL_GRACE_MS, LOOK_MS } from '../../../src/agents/executors/process-group.ts'
import { POLL_MS as KAFKA_POLL_MS } from '../../../src/store/kafka/event-tail.ts'
import { POLL_MS as FILE_POLL_MS } from '../../../src/store/sqlite/change-watch.ts'

/** What is left for what takes as long as it takes: loading the session, the kills, the look through the process table. */
const ROOM_MS = 300

it('a cancelled call is gone within a second by its constants: the cancel is seen, SIGTERM, a grace, SIGKILL', () => {
  const seenMs = Math.max(FILE_POLL_MS, KAFKA_POLL_MS)
  expect(seenMs + KILL_GRACE_MS + LOOK_MS + ROOM_MS).toBeLessThan(GONE_WITHIN_MS)
})
