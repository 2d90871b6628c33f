import { afterEach, beforeEach, describe } from 'vitest'
import { killedLargeAppendSuite } from './killed-large-append-suite.ts'
import { type TempLog, tempLog } from './sqlite/temp-log.ts'

describe('a large event in a file', () => {
  let log: TempLog
  beforeEach(() => {
    log = tempLog()
  })
  afterEach(() => log.remove())

  killedLargeAppendSuite({
    points: [
      { point: 'store.blob.drafted', time: 1, survives: false },
      { point: 'store.blob.put', time: 1, survives: false },
      { point: 'file.commit.written', time: 1, survives: false },
      { point: 'file.commit.done', time: 1, survives: true },
    ],
    size: 300_000,
    url: () => `file:${log.path}`,
  })
})
