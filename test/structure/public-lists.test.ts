import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { libraryEntries } from '../../entries.ts'

/*
 * What the package promises by name. A change here is a change of the public API: look at it, then
 * `npx vitest run test/structure --update`.
 */

const program = ts.createProgram(Object.values(libraryEntries), {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2024,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
})
const checker = program.getTypeChecker()

interface PublicName {
  readonly name: string
  readonly kind: 'type' | 'value'
  readonly documented: boolean
}

function publicNames(file: string): PublicName[] {
  const source = program.getSourceFile(file)!
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)
  return exported.map(describeName).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function describeName(symbol: ts.Symbol): PublicName {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return {
    name: symbol.name,
    kind: target.flags & ts.SymbolFlags.Value ? 'value' : 'type',
    documented: target.getDocumentationComment(checker).length > 0 || target.getJsDocTags(checker).length > 0,
  }
}

describe.each(Object.entries(libraryEntries))('the public list of %s', (entry, file) => {
  const names = publicNames(file)

  it('is the written one', async () => {
    const text = names.map(({ kind, name }) => `${kind.padEnd(5)} ${name}\n`).join('')
    await expect(text).toMatchFileSnapshot(`public-lists/${entry}.txt`)
  })

  it('has a docstring behind every name', () => {
    expect(names.filter(({ documented }) => !documented).map(({ name }) => name)).toEqual([])
  })

  it('is written by hand', () => {
    expect(readFileSync(file, 'utf8')).not.toMatch(/export \*/)
  })
})
