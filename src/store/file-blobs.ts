import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { reach } from '../core/reach.ts'
import type { BlobStore } from './blobs.ts'
import { systemRandom } from './system.ts'

/** Blobs in a directory: `ab/abcdef…`, each whole or not there. */
export function fileBlobs(directory: string): BlobStore {
  const pathOf = (sha256: string) => join(directory, sha256.slice(0, 2), sha256)
  return {
    put: async (sha256, bytes) => {
      const path = pathOf(sha256)
      if (await hasSize(path, bytes.length)) return 'file'
      await mkdir(dirname(path), { recursive: true })
      const draft = `${path}.${Buffer.from(systemRandom(16)).toString('hex')}`
      await writeDurably(draft, bytes)
      reach('store.blob.drafted')
      await rename(draft, path)
      await sync(dirname(path))
      reach('store.blob.put')
      return 'file'
    },
    get: ({ sha256 }) => readFile(pathOf(sha256)).catch(absent),
  }
}

async function hasSize(path: string, size: number): Promise<boolean> {
  return (await stat(path).catch(absent))?.size === size
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
