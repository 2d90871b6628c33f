import { writeSync } from 'node:fs'
import { openOurs } from './ours.ts'

/* One of several processes on one file: appends, saying each acknowledged one. */

const [path = '', name = '', callers = '1', appends = '1'] = process.argv.slice(2)
const ours = await openOurs(path)

async function caller(number: number): Promise<void> {
  for (let n = 0; n < Number(appends); n++) {
    const id = `${name}-${number}-${n}`
    await ours.store.appendToStream(`${name}-${number}`, [{ type: 'Added', data: { id } }])
    writeSync(1, `${id}\n`)
  }
}

await Promise.all(Array.from({ length: Number(callers) }, (_, number) => caller(number)))
await ours.close()
