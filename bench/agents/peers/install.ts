import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { overrides, type PeerName, packages } from './versions.ts'

/** Installs a peer into a folder of its own under `root`, from npm. */
export function install(peer: PeerName, root: string): string {
  const folder = join(root, `packages-${peer}`)
  mkdirSync(folder, { recursive: true })
  const manifest = { name: `bench-${peer}`, private: true, dependencies: packages[peer], overrides }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  const { status, stderr, error } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, SCARF_ANALYTICS: 'false' },
  })
  if (status !== 0) throw new Error(`npm install failed: ${error?.message ?? stderr.trim().split('\n').at(-1)}`)
  return folder
}
