import { readFile } from 'node:fs/promises'

/** A file that the browser gets as it is. */
export interface Asset {
  readonly type: string
  readonly body: Buffer
}

const FILES = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'page.js': 'text/javascript; charset=utf-8',
  'elements.js': 'text/javascript; charset=utf-8',
  'event-log.js': 'text/javascript; charset=utf-8',
  'formats.js': 'text/javascript; charset=utf-8',
  'list-view.js': 'text/javascript; charset=utf-8',
  'session-view.js': 'text/javascript; charset=utf-8',
  'live-events.js': 'text/javascript; charset=utf-8',
  'plan-chart.js': 'text/javascript; charset=utf-8',
  'time-scale.js': 'text/javascript; charset=utf-8',
} as const

/** The page's files by name; beside this file in the source, beside the bundle in the package. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = new URL('./page/', import.meta.url)
  const entries = Object.entries(FILES).map(
    async ([name, type]): Promise<[string, Asset]> => [name, { type, body: await readFile(new URL(name, folder)) }],
  )
  return new Map(await Promise.all(entries))
}
