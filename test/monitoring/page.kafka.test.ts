import { expect, it, onTestFinished } from 'vitest'
import { servePage } from '../../src/monitoring/serve-page.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { readStream } from './read-stream.ts'
import { beginSession, goOn } from './sessions.ts'

describeKafka('the page of a log on Kafka', () => {
  it('shows what another writer appends, history first, then live, and goes on after a break', async () => {
    const log = `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('page')}`
    const writer = await openEventStore(log)
    onTestFinished(() => writer.close())
    await beginSession(writer, 's1')
    await goOn(writer, 's1', 4)
    const store = await openEventStore(log)
    onTestFinished(() => store.close())
    const page = await servePage({ store })
    onTestFinished(() => page.close())

    const url = `${page.url}api/sessions/s1/events`
    const first = await readStream(url)
    await first.reaches(5)
    for (let times = 0; times < 5; times++) await goOn(writer, 's1', 1)
    await first.reaches(8)
    first.close()
    const seen = first.rows.map(({ position }) => position)
    await goOn(writer, 's1', 5)
    const again = await readStream(url, { 'last-event-id': String(first.ids.at(-1)) })
    await again.reaches(15)
    again.close()
    const rest = again.rows.map(({ position }) => position)
    expect([...seen, ...rest]).toEqual(Array.from({ length: 15 }, (_, index) => index + 1))
  })
})
