import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { openOurs } from '../ours.ts'
import { killAndRestart } from '../restart.ts'
import { atOnce, longSession, oneByOne } from '../sessions.ts'
import { type Figures, medians } from './measured.ts'

/*
 * Whole sessions of the coordinator, for the rows of the peers: created, planned, worked, reviewed with a verdict, each call
 * reserved before it runs. More than three recorded steps; `duolog.ts` does those.
 */

interface Size {
  readonly rounds: number
  readonly alone: number
  readonly each: number
  readonly middle: number
  readonly many: number
}

export async function coordinatorFigures(root: string, size: Size): Promise<Figures> {
  const rounds: Figures[] = []
  const newLog = () => `file:${join(root, `${randomUUID()}.db`)}`
  for (let number = 1; number <= size.rounds; number++) {
    const ours = await openOurs(newLog())
    await oneByOne(ours, 20)
    const alone = await oneByOne(ours, size.alone)
    const { perSecond } = await atOnce(ours, { callers: 50, each: size.each })
    const figures: Figures = new Map([
      ['commits.per100', alone.commitsPer100Steps],
      ['alone.p50Ms', alone.p50Ms],
      ['alone.p99Ms', alone.p99Ms],
      ['together.perSecond', perSecond],
    ])
    // A work item is two steps.
    for (const steps of [10, size.middle, size.many]) {
      figures.set(`long.${steps}.msPerStep`, await longSession(ours, steps / 2))
    }
    await ours.close()
    const killed = await killAndRestart(newLog(), 20)
    figures.set('kill.killToNextMs', killed.msToNextStep).set('kill.again', killed.again)
    rounds.push(figures)
  }
  return medians(rounds)
}
