/*
 * Builds the JavaScript of the package when it is missing or older than its sources, and says nothing when all is well:
 * for commands that run the built package from a fresh clone.
 */
import { spawnSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { binEntry, libraryEntries } from '../entries.ts'

const sources = [...globSync('src/**/*.ts'), 'entries.ts', 'tsup.config.ts']
const outputs = Object.keys({ ...libraryEntries, ...binEntry }).map((name) => `dist/${name}.js`)

const changedAtMs = Math.max(...sources.map(modifiedAtMs))
if (outputs.some((output) => modifiedAtMs(output) < changedAtMs)) build()

/** When a file was written last; 0 when there is none. */
function modifiedAtMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function build(): void {
  console.error('Building …')
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build:js', '--', '--silent'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (status === 0) return
  console.error(stdout + stderr)
  process.exitCode = 1
}
