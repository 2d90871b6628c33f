/**
 * The public entries of the package, in one place: the subpath (`index` is the root) and its hand-written list.
 * tsup builds from it; test/structure compares package.json with it. A new subpath: one line here, then
 * `exports` and `typesVersions` in package.json.
 */
export const libraryEntries = {
  index: 'src/index.ts',
  kafka: 'src/kafka.ts',
  processing: 'src/processing.ts',
  agents: 'src/agents.ts',
  compat: 'src/compat.ts',
  monitoring: 'src/monitoring.ts',
  testing: 'src/testing.ts',
} as const

/** The program; ESM only, never imported. */
export const binEntry = { cli: 'src/cli/main.ts' } as const
