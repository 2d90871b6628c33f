import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'

/** A file that the browser gets as it is. */
export interface Asset {
  readonly type: string
  readonly body: Buffer
}

/** What the folder has of other kinds is not for the browser. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.js', 'text/javascript; charset=utf-8'],
])

/** The page's files by name; beside this file in the source, beside the bundle in the package. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = new URL('./page/', import.meta.url)
  const assets = new Map<string, Asset>()
  for (const name of await readdir(folder)) {
    const type = TYPES.get(extname(name))
    if (type !== undefined) assets.set(name, { type, body: await readFile(new URL(name, folder)) })
  }
  return assets
}
