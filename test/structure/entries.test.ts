import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { binEntry, libraryEntries } from '../../entries.ts'
import { VERSION } from '../../src/agents/version.ts'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const names = Object.keys(libraryEntries)
const subpaths = names.filter((name) => name !== 'index')

function conditions(name: string): unknown {
  const esm = { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }
  return { import: esm, 'module-sync': esm, require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` } }
}

describe('the package manifest and the entry list agree', () => {
  it('exports exactly the entries, conditions in the order resolvers need', () => {
    const expected = Object.fromEntries(names.map((name) => [name === 'index' ? '.' : `./${name}`, conditions(name)]))
    const actual = { ...manifest.exports }
    delete actual['./package.json']
    expect(JSON.stringify(actual)).toBe(JSON.stringify(expected))
  })

  it('has a typesVersions line for each subpath, for classic resolution', () => {
    expect(manifest.typesVersions['*']).toEqual(
      Object.fromEntries(subpaths.map((name) => [name, [`./dist/${name}.d.cts`]])),
    )
  })

  it('has a source file behind every entry', () => {
    for (const file of Object.values(libraryEntries)) expect(existsSync(file), file).toBe(true)
  })

  it('points the bin at the built program', () => {
    expect(manifest.bin).toEqual({ duolog: `./dist/${Object.keys(binEntry)[0]}.js` })
  })

  it('documents every entry and looks for unused code from every entry', () => {
    const sources = Object.values(libraryEntries)
    expect(JSON.parse(readFileSync('typedoc.json', 'utf8')).entryPoints).toEqual(sources)
    const roots = sources.map((file) => file.replace(/^src\/|\.ts$/g, '')).join(',')
    expect(JSON.parse(readFileSync('knip.json', 'utf8')).entry[0]).toBe(`src/{${roots}}.ts`)
  })

  it('carries the version that sessions are stamped with', () => {
    expect(VERSION).toBe(manifest.version)
  })
})
