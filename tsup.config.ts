import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Options } from 'tsup'
import { binEntry, libraryEntries } from './entries.ts'

/** Built in, tree-shaken: loading their files one by one was most of a start (decision 11). */
const builtIn = ['cockatiel', 'zod']

const rootOf = (name: string) => fileURLToPath(new URL(`node_modules/${name}/`, import.meta.url))

/** Their licences ask for it. */
function writeNotices(): void {
  const texts = builtIn.map((name) => `${name}\n\n${readFileSync(`${rootOf(name)}LICENSE`, 'utf8').trim()}\n`)
  writeFileSync('dist/BUILT-IN-LICENSES.txt', `Built into these files:\n\n${texts.join('\n---\n\n')}`)
}

const common: Options = {
  target: 'node22',
  platform: 'node',
  outDir: 'dist',
  tsconfig: 'tsconfig.build.json',
  // Shared chunks: without them each CommonJS entry has its own copy of the error classes.
  splitting: true,
  sourcemap: true,
  noExternal: builtIn,
  // `node:sqlite` exists only under its prefix.
  removeNodeProtocol: false,
}

/** The page's files are served as they are, from beside the bundle. */
function copyPage(): void {
  cpSync('src/monitoring/page', 'dist/page', { recursive: true, filter: (name) => !name.endsWith('tsconfig.json') })
}

const marker = '__native_import__('

/**
 * In CommonJS tsup turns every `import()` into `require()`. For a literal that is right; a module the user names at
 * run time may be ESM behind a file URL, which `require` does not take.
 */
const keepComputedImports: NonNullable<Options['plugins']>[number] = {
  name: 'keep-computed-imports',
  renderChunk: (code) => ({ code: code.replaceAll(/\bimport\((?!\s*["'`])/g, marker) }),
  buildEnd({ writtenFiles }) {
    for (const { name } of writtenFiles) {
      if (!name.endsWith('.cjs')) continue
      const code = readFileSync(name, 'utf8')
      if (code.includes(marker)) writeFileSync(name, code.replaceAll(marker, 'import('))
    }
  },
}

export default defineConfig((overrides) => {
  const dts = overrides.dts === false ? false : { entry: { ...libraryEntries } }
  return [
    {
      ...common,
      entry: { ...libraryEntries, ...(existsSync(binEntry.cli) ? binEntry : {}) },
      format: ['esm'],
      dts,
      onSuccess: async () => {
        writeNotices()
        copyPage()
      },
    },
    { ...common, entry: { ...libraryEntries }, format: ['cjs'], dts, shims: true, plugins: [keepComputedImports] },
  ]
})
