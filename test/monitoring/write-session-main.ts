import { openEventStore } from '../../src/store/open-event-store.ts'
import { goOn } from './sessions.ts'

/*
 * Another process that writes a session: `node write-session-main.ts LOG SESSION COUNT EVERY_MS`. Ends when all is in the log.
 */

const [log = '', sessionId = '', count = '0', everyMs = '0'] = process.argv.slice(2)
const store = await openEventStore(log)
for (let written = 0; written < Number(count); written++) {
  await goOn(store, sessionId, 1, `live ${written + 1}`)
  await new Promise((resolve) => setTimeout(resolve, Number(everyMs)))
}
await store.close()
