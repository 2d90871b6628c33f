import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openEventStore } from '../../src/store/open-event-store.ts'

it('G1 an event of 50 MB in a file comes back as it was written, also after the store was opened again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duolog-fifty-'))
  const url = `file:${join(folder, 'run.db')}`
  const text = 'The output of an agent. '.repeat((50 * 1024 * 1024) / 24)
  try {
    const writer = await openEventStore(url)
    await writer.appendToStream('a', [{ type: 'Said', data: { text } }])
    await writer.close()
    const reader = await openEventStore(url)
    const [event] = await Array.fromAsync(reader.readStream('a'))
    const read = (event?.data as { text: string } | undefined)?.text ?? ''
    expect(read.length).toBe(text.length)
    expect(read === text).toBe(true)
    await reader.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
