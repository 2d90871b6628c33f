/*
 * What a Worker's call did to its work directory, for the reviewer. Git is asked where there is a repository, with an
 * index of our own: neither the index, nor HEAD, nor a file of the repository is touched (new objects may be, without a
 * reference). Elsewhere files are compared by size and time.
 * Where the repository defines filters, which the Worker may have done, git is not asked at all: see `safe-git`.
 */
import { copyFile, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Logger } from '../core/logger.ts'
import type { AgentResult, WorkDirChanges } from './executor.ts'
import { headAndTail } from './executors/captured-text.ts'
import { createRedactor } from './redact.ts'
import { definesFilters, git, gitNames } from './safe-git.ts'

interface Observation {
  readonly workDir: string
  /** What an earlier attempt at the same work item was compared to. */
  readonly base?: string
  readonly logger: Logger
}

const MAX_TEXT_CHARS = 20_000
const MAX_FILES = 500
const MAX_SCANNED = 5_000
/** Of what git prints; cut once more when secrets are redacted. */
const MAX_PRINTED_CHARS = 4 * MAX_TEXT_CHARS
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
  return tree !== undefined && (await ask(workDir, ['cat-file', '-e', `${tree}^{tree}`])) !== undefined
}

/** The work directory as a git tree; undefined where there is no repository, or none that we ask. */
async function snapshot(workDir: string): Promise<string | undefined> {
  const found = await ask(workDir, ['rev-parse', '--git-path', 'index'])
  if (found === undefined || (await definesFilters(workDir))) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'duolog-index-'))
  try {
    const index = join(folder, 'index')
    await copyIndex(resolve(workDir, found.trim()), index)
    const env = { GIT_INDEX_FILE: index }
    const added = await ask(workDir, ['add', '-A', '--', '.', ':(exclude).duolog'], env)
    return added === undefined ? undefined : (await ask(workDir, ['write-tree'], env))?.trim()
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

async function gitChanges(workDir: string, base: string): Promise<WorkDirChanges | undefined> {
  const now = await snapshot(workDir)
  if (now === undefined) return undefined
  const range = ['--no-ext-diff', '--no-textconv', '--no-color', '--relative', base, now]
  const names = await gitNames({ cwd: workDir, args: ['diff', '--name-only', '-z', ...range] }, MAX_FILES)
  const text = await ask(workDir, ['diff', ...range])
  if (names === undefined || text === undefined) return undefined
  return changes({ by: 'git', base, files: names.first, fileCount: names.count, text })
}

function ask(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return git({ cwd, args, env }, MAX_PRINTED_CHARS)
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
  const files = [...lines.keys()].sort()
  return changes({ by: 'files', files, fileCount: files.length, text: [...lines.values()].sort().join('\n') })
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

function changes({ files, text, ...found }: WorkDirChanges): WorkDirChanges {
  return { ...found, files: files.slice(0, MAX_FILES), text: createRedactor()(headAndTail(text, MAX_TEXT_CHARS)) }
}
