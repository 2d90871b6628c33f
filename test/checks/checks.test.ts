import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'

/* `npm run check` and `npm run docs`, each tool as a test: one that fails costs no other its verdict. */

const site = mkdtempSync(join(tmpdir(), 'duolog-docs-'))

const tools: Readonly<Record<string, readonly string[]>> = {
  'types: tsc': ['tsc', '-p', 'tsconfig.json', '--noEmit'],
  'format and lint: biome': ['biome', 'check', '--error-on-warnings'],
  'lint with types: oxlint': ['oxlint', '--type-aware'],
  'import arrows: dependency-cruiser': ['depcruise', 'src'],
  'nothing unused: knip': ['knip'],
  'documentation without a warning: typedoc': ['typedoc', '--out', site],
}

describe('the checks', () => {
  afterAll(() => rmSync(site, { recursive: true, force: true }))

  it.each(Object.entries(tools))('%s', async (_name, [command = '', ...args]) => {
    const child = spawn(join('node_modules/.bin', command), args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    expect(child.exitCode, `${stdout}${stderr}`).toBe(0)
  })
})
