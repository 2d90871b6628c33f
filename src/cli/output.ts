import { once } from 'node:events'

/** Lines to stdout, which is for results; progress goes to stderr. Waits while the reader is slow. */
export async function printLines(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await write(`${lines.join('\n')}\n`)
}

/** A text as it is; ends with a line break, its own or one more. */
export function printText(text: string): Promise<void> {
  return write(text.endsWith('\n') ? text : `${text}\n`)
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** The one JSON value of a command with --json. */
export function printJson(value: unknown): Promise<void> {
  return printLines([JSON.stringify(value, null, 2)])
}

/**
 * `duolog events … | head` ends quietly when head has seen enough. A reader of stderr that goes away does not end a run:
 * the work is worth more than its progress lines.
 */
export function endQuietlyOnBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  process.stderr.on('error', () => undefined)
}
