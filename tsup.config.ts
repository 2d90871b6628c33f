import { existsSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'
import { binEntry, libraryEntries } from './entries.ts'

const common: Options = {
  target: 'node22',
  platform: 'node',
  tsconfig: 'tsconfig.build.json',
  outDir: 'dist',
  // Shared chunks: without them each CommonJS entry has its own copy of the error classes.
  splitting: true,
  sourcemap: true,
  // `node:sqlite` exists only under its prefix.
  removeNodeProtocol: false,
}

export default defineConfig((overrides) => [
  {
    ...common,
    entry: { ...libraryEntries, ...(existsSync(binEntry.cli) ? binEntry : {}) },
    format: ['esm'],
    dts: overrides.dts === false ? false : { entry: { ...libraryEntries } },
  },
  {
    ...common,
    entry: { ...libraryEntries },
    format: ['cjs'],
    dts: overrides.dts === false ? false : { entry: { ...libraryEntries } },
  },
])
