import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const repository = resolve(import.meta.dirname, '../..')

export const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))

export interface Outcome {
  readonly ok: boolean
  readonly output: string
}

/** Runs a program and returns what it printed, so that a failed expectation shows it. */
export async function tryRun(file: string, args: readonly string[], cwd: string): Promise<Outcome> {
  try {
    const { stdout, stderr } = await run(file, [...args], { cwd, maxBuffer: 64 << 20 })
    return { ok: true, output: stdout + stderr }
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string }
    return { ok: false, output: `${message}\n${stdout}${stderr}` }
  }
}

async function mustRun(file: string, args: readonly string[], cwd: string): Promise<string> {
  const { ok, output } = await tryRun(file, args, cwd)
  if (!ok) throw new Error(output)
  return output
}

/** The tarball as `npm publish` would send it, made from the present build. */
export async function pack(into: string): Promise<string> {
  if (!existsSync(join(repository, 'dist/index.d.cts')))
    throw new Error('No build in dist/: run `npm run build` first.')
  await mustRun('npm', ['pack', '--ignore-scripts', '--pack-destination', into], repository)
  return join(into, `${manifest.name}-${manifest.version}.tgz`)
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'duolog-packaging-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export interface ConsumerOptions {
  readonly fixture: 'cjs' | 'esm'
  readonly type: 'commonjs' | 'module'
  readonly typescript: string
}

/** A fresh project that has installed the tarball, with a compiler of its own. */
export async function install(tarball: string, folder: string, options: ConsumerOptions): Promise<string> {
  const project = mkdtempSync(join(folder, `${options.fixture}-`))
  const consumer = { name: `consumer-${options.fixture}`, private: true, type: options.type }
  writeFileSync(join(project, 'package.json'), JSON.stringify(consumer))
  cpSync(join(import.meta.dirname, 'fixtures', options.fixture), project, { recursive: true })
  const nodeTypes = `@types/node@${manifest.devDependencies['@types/node']}`
  const packages = [tarball, `typescript@${options.typescript}`, nodeTypes]
  await mustRun('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], project)
  return project
}

export interface Compilation {
  readonly module: string
  readonly moduleResolution: string
  readonly outDir: string
}

/** Compiles the consumer strictly, library declarations included. */
export function compile(project: string, compilation: Compilation): Promise<Outcome> {
  const compilerOptions = {
    ...compilation,
    target: 'ES2022',
    lib: ['ES2023'],
    types: ['node'],
    strict: true,
    esModuleInterop: true,
    skipLibCheck: false,
  }
  const file = `tsconfig.${compilation.outDir}.json`
  writeFileSync(join(project, file), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  return tryRun(process.execPath, ['node_modules/typescript/bin/tsc', '-p', file], project)
}

/** The oldest Node that `engines` promises to work on, from the registry. */
export async function installOldestNode(folder: string): Promise<string> {
  const oldest = /\d+\.\d+/.exec(manifest.engines.node)?.[0]
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  const project = mkdtempSync(join(folder, 'node-'))
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  await mustRun('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `${name}@${oldest}.0`], project)
  return join(project, 'node_modules', name, 'bin/node')
}
