import { median, type Result, round, timed } from '../report.ts'
import { openWith } from './open.ts'
import type { PartTask } from './plan.ts'

/*
 * Folding 10,000 events of which a snapshot knows all but 10, beside folding 10 events, in turns;
 * and the same 10,000 without a snapshot.
 */

const LONG = 10_000
const TAIL = 10
const BATCH = 500
const TURNS = 200
const TURNS_WITHOUT = 10

const fold = { initialState: () => 0, evolve: (sum: number) => sum + 1 }

export async function measure({ brokers, driver, quick }: PartTask): Promise<readonly Result[]> {
  const store = await openWith(brokers, 1, { driver })
  const turns = quick ? TURNS / 10 : TURNS
  const events = (count: number) => Array.from({ length: count }, (_, n) => ({ type: 'Counted', data: { n } }))
  const expectCount = async (stream: string, count: number, every?: number) => {
    const snapshot = every === undefined ? {} : { snapshot: { name: 'count', version: 1, every } }
    const { state } = await store.aggregateStream(stream, { ...fold, ...snapshot })
    if (state !== count) throw new Error(`${stream} folded to ${state}, expected ${count}`)
  }
  for (let written = 0; written < LONG - TAIL; written += BATCH) {
    await store.appendToStream('long', events(Math.min(BATCH, LONG - TAIL - written)))
  }
  await store.appendToStream('short', events(TAIL))
  await expectCount('long', LONG - TAIL, 1000) // writes the snapshot
  await store.snapshots.idle()
  await store.appendToStream('long', events(TAIL))
  const [withSnapshot, short, without]: [number[], number[], number[]] = [[], [], []]
  for (let turn = 0; turn < turns; turn++) {
    withSnapshot.push(await timed(() => expectCount('long', LONG, 1000)))
    short.push(await timed(() => expectCount('short', TAIL)))
    if (turn < TURNS_WITHOUT) without.push(await timed(() => expectCount('long', LONG)))
  }
  await store.close()
  const ratio = median(withSnapshot) / median(short)
  return [
    { name: `fold of ${TAIL} events`, value: round(median(short)), unit: 'ms', against: 'nothing' },
    { name: `fold of ${LONG} events, no snapshot`, value: round(median(without)), unit: 'ms', against: 'nothing' },
    { name: `fold of ${LONG} events, snapshot`, value: round(median(withSnapshot)), unit: 'ms', against: 'nothing' },
    {
      name: `fold of ${LONG} events, snapshot`,
      value: round(ratio),
      unit: '×',
      goal: '<= 1.5',
      met: ratio <= 1.5,
      against: `a fold of ${TAIL} events`,
    },
  ]
}
