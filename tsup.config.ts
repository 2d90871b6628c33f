import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'
import { binEntry, libraryEntries } from './entries.ts'

const common: Options = {
  target: 'node22',
  platform: 'node',
  outDir: 'dist',
  tsconfig: 'tsconfig.build.json',
  // Shared chunks: without them each CommonJS entry has its own copy of the error classes.
  splitting: true,
  sourcemap: true,
  // `node:sqlite` exists only under its prefix.
  removeNodeProtocol: false,
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
    },
    { ...common, entry: { ...libraryEntries }, format: ['cjs'], dts, plugins: [keepComputedImports] },
  ]
})
