import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const scripts = {
  'chaos/chaos-main.ts': ['--log', 'paper'],
  'chaos-kafka/chaos-kafka-main.ts': ['--minutes', 'many'],
  'agents/distributed-main.ts': ['--sessions', '0'],
  'processing/crash-main.ts': ['--runs', 'many'],
  'processing/storm-main.ts': ['--log', 'paper'],
  'model/model-main.ts': ['--runs', 'many'],
}

function run(script: string, args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const file = fileURLToPath(new URL(`../${script}`, import.meta.url))
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr })
    })
  })
}

it.each(Object.entries(scripts))(
  '%s says how it is called, and what is wrong in a call, without a stack',
  async (script, bad) => {
    const help = await run(script, ['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain(`npm run `)
    for (const args of [['--nonsense'], bad]) {
      const wrong = await run(script, args)
      expect(wrong).toMatchObject({ code: 2, stdout: '' })
      expect(wrong.stderr).toContain(args[0])
      expect(wrong.stderr).not.toContain('    at ')
    }
  },
)
