import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { exampleNames, runExample } from './small-examples.ts'

describe.each(exampleNames)('example %s', (name) => {
  it('says the same on memory and on a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'duolog-example-'))
    try {
      runExample(name, 'memory:', [])
      runExample(name, `file:${join(folder, 'run.db')}`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
