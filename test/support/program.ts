import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child {
  readonly process: ChildProcess
  /** What it said so far, line by line. */
  readonly lines: string[]
  /** Resolves when it said a line that starts so. */
  said(start: string): Promise<string>
  /** Resolves when it ended and everything it said was heard. */
  readonly ended: Promise<{
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly errors: string
  }>
}

/** Starts another process on a log; its config is its one argument. */
export function startProgram(program: URL, config: object): Child {
  const file = fileURLToPath(program)
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, file, JSON.stringify(config)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const lines: string[] = []
  const listeners = new Set<() => void>()
  let rest = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    for (const listener of listeners) listener()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const ended = new Promise<Awaited<Child['ended']>>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, errors }))
  })
  const said = (start: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const line = lines.find((one) => one.startsWith(start))
        if (line === undefined) return
        listeners.delete(look)
        resolve(line)
      }
      listeners.add(look)
      look()
      void ended.then(() => reject(new Error(`ended before it said "${start}": ${errors}`)))
    })
  return { process: child, lines, said, ended }
}
