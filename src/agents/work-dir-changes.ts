/*
 * What a Worker's call did to its work directory, for the reviewer. Git is asked where there is a repository, with an
 * index of our own: neither the index, nor HEAD, nor a file of the repository is touched (new objects may be, without a
 * reference). Elsewhere files are compared by size and time.
 *
 * Git obeys the repository's own configuration, which the Worker may have written: hooks, the file system monitor, and
 * diff programs are switched off, and where the repository defines filters git is not asked at all.
 */
import { spawn } from 'node:child_process'
import { copyFile, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Logger } from '../core/logger.ts'
import type { AgentResult, WorkDirChanges } from './executor.ts'
import { headAndTail, TextCapture } from './executors/captured-text.ts'
import { createRedactor } from './redact.ts'

interface Observation {
  readonly workDir: string
  /** What an earlier attempt at the same work item was compared to. */
  readonly base?: string
  readonly logger: Logger
}

const MAX_TEXT_CHARS = 20_000
const MAX_FILES = 500
const MAX_SCANNED = 5_000
const GIT_TIMEOUT_MS = 30_000
/** Neither ours nor anybody's work. */
const NOT_LOOKED_INTO = new Set(['.git', '.duolog', 'node_modules'])

/** Does the work, and adds to its result what it changed; nothing when that could not be found out. */
export async function observeWork(work: () => Promise<AgentResult>, observation: Observation): Promise<AgentResult> {
  const before = await lookBefore(observation)
  const result = await work()
  if (before === undefined || result.changes !== undefined) return result
  const changes = await compare(before, observation)
  return changes === undefined ? result : { ...result, changes }
}

type Before = { readonly by: 'git'; readonly tree: string } | { readonly by: 'files'; readonly files: Listing }
type Listing = ReadonlyMap<string, string>

async function lookBefore({ workDir, base, logger }: Observation): Promise<Before | undefined> {
  try {
    const tree = (await isKnown(workDir, base)) ? base : await snapshot(workDir)
    return tree === undefined ? { by: 'files', files: await listFiles(workDir) } : { by: 'git', tree }
  } catch (error) {
    logger.warn({ error, workDir }, 'What the Worker changes in the work directory cannot be told')
    return undefined
  }
}

async function compare(before: Before, { workDir, logger }: Observation): Promise<WorkDirChanges | undefined> {
  try {
    return before.by === 'git' ? await gitChanges(workDir, before.tree) : await fileChanges(workDir, before.files)
  } catch (error) {
    logger.warn({ error, workDir }, 'What the Worker changed in the work directory cannot be told')
    return undefined
  }
}

async function isKnown(workDir: string, tree: string | undefined): Promise<boolean> {
  return tree !== undefined && (await git(workDir, ['cat-file', '-e', `${tree}^{tree}`])) !== undefined
}

/** The work directory as a git tree; undefined where there is no repository, or none that we ask. */
async function snapshot(workDir: string): Promise<string | undefined> {
  const found = await git(workDir, ['rev-parse', '--git-path', 'index'])
  if (found === undefined || (await hasFilters(workDir))) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'duolog-index-'))
  try {
    const index = join(folder, 'index')
    await copyIndex(resolve(workDir, found.trim()), index)
    const env = { GIT_INDEX_FILE: index }
    const added = await git(workDir, ['add', '-A', '--', '.', ':(exclude).duolog'], env)
    return added === undefined ? undefined : (await git(workDir, ['write-tree'], env))?.trim()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** With its time: git compares contents where a file is not older than the index. */
async function copyIndex(from: string, to: string): Promise<void> {
  const found = await stat(from).catch(() => undefined)
  if (found === undefined) return
  await copyFile(from, to)
  await utimes(to, found.atime, found.mtime)
}

async function hasFilters(workDir: string): Promise<boolean> {
  return (await git(workDir, ['config', '--local', '--get-regexp', '^filter\\..*\\.(clean|process)$'])) !== undefined
}

async function gitChanges(workDir: string, base: string): Promise<WorkDirChanges | undefined> {
  const now = await snapshot(workDir)
  if (now === undefined) return undefined
  const range = ['--no-ext-diff', '--no-textconv', '--no-color', '--relative', base, now]
  const names = await git(workDir, ['diff', '--name-only', '-z', ...range])
  const text = await git(workDir, ['diff', ...range])
  if (names === undefined || text === undefined) return undefined
  const files = names.split('\0').filter((name) => name !== '')
  return changes({ by: 'git', base, files, text })
}

/** What git prints, shortened in its middle; undefined when it refuses, or is not there. */
function git(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  const safe = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'core.quotePath=off']
  return new Promise((resolve) => {
    const capture = new TextCapture(MAX_TEXT_CHARS * 4)
    const child = spawn('git', [...safe, ...args], {
      cwd,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: GIT_TIMEOUT_MS,
      windowsHide: true,
    })
    child.stdout.on('data', (chunk: Buffer) => capture.add(chunk))
    child.on('error', () => resolve(undefined))
    child.on('close', (code) => resolve(code === 0 ? capture.end().text : undefined))
  })
}

async function fileChanges(workDir: string, before: Listing): Promise<WorkDirChanges> {
  const now = await listFiles(workDir)
  const lines = new Map<string, string>()
  for (const [file, mark] of now) {
    const earlier = before.get(file)
    if (earlier === undefined) lines.set(file, `added ${file}`)
    else if (earlier !== mark) lines.set(file, `changed ${file}`)
  }
  for (const file of before.keys()) if (!now.has(file)) lines.set(file, `deleted ${file}`)
  return changes({ by: 'files', files: [...lines.keys()].sort(), text: [...lines.values()].sort().join('\n') })
}

async function listFiles(workDir: string): Promise<Listing> {
  const files = new Map<string, string>()
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined && files.size < MAX_SCANNED; folder = folders.pop()) {
    for (const entry of await readdir(join(workDir, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory() && !NOT_LOOKED_INTO.has(entry.name)) folders.push(path)
      if (entry.isFile()) files.set(path, await markOf(join(workDir, path)))
    }
  }
  return files
}

async function markOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found === undefined ? 'gone' : `${found.size} ${found.mtimeMs}`
}

function changes(found: {
  by: 'git' | 'files'
  base?: string
  files: readonly string[]
  text: string
}): WorkDirChanges {
  const { by, base, files, text } = found
  return {
    by,
    ...(base !== undefined && { base }),
    files: files.slice(0, MAX_FILES),
    fileCount: files.length,
    text: createRedactor()(headAndTail(text, MAX_TEXT_CHARS)),
  }
}
