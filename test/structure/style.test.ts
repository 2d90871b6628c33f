import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { countLines, measureFile, measureFunctions, quantile, typescriptFiles } from './source-files.ts'

const files = typescriptFiles('src')
const functions = files.flatMap(measureFile)

/** A ratchet: these numbers only ever go down. */
const limits = { fileLines: 400, functionLines: 45, p90Lines: 20, medianLines: 6, nesting: 3 }

describe('the style of src', () => {
  it('has files of one idea', () => {
    const long = files.filter((file) => countLines(file) > limits.fileLines)
    expect(long).toEqual([])
  })

  it('has small functions', () => {
    const lines = functions.map((measured) => measured.lines)
    const long = functions.filter((measured) => measured.lines > limits.functionLines)
    expect(long).toEqual([])
    expect(quantile(lines, 0.9)).toBeLessThanOrEqual(limits.p90Lines)
    expect(quantile(lines, 0.5)).toBeLessThanOrEqual(limits.medianLines)
  })

  it('has shallow functions', () => {
    expect(functions.filter((measured) => measured.nesting > limits.nesting)).toEqual([])
  })

  it('has kebab-case file names', () => {
    expect(
      files.filter((file) => !/^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.tsx?$/.test(file)),
    ).toEqual([])
  })

  it('has no folder that the file map does not know', () => {
    const known = ['agents', 'cli', 'compat', 'core', 'kafka', 'monitoring', 'processing', 'store', 'testing']
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory())
    expect(folders.map((folder) => folder.name).filter((name) => !known.includes(name))).toEqual([])
  })

  it('measures what it says', () => {
    const text = `function outer() {
  const inner = () => {
    return 1
  }
  if (inner()) { for (;;) { break } } else if (x) { y() }
}`
    expect(measureFunctions('a.ts', text)).toEqual([
      { where: 'a.ts:2 inner', lines: 3, nesting: 0 },
      { where: 'a.ts:1 outer', lines: 3, nesting: 2 },
    ])
  })
})

describe('what must not be left behind', () => {
  const everywhere = ['src', 'test', 'bench', 'examples', 'scripts'].flatMap((folder) => {
    try {
      return typescriptFiles(folder)
    } catch {
      return []
    }
  })
  // Written apart so that this file does not find itself.
  const markers = new RegExp(
    ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX\\b', 'not imple' + 'mented', 'for n' + 'ow\\b'].join('|'),
  )
  const loose = new RegExp(
    ['@ts-' + 'ignore', '@ts-no' + 'check', '\\bas a' + 'ny\\b', 'biome-ig' + 'nore', 'oxlint-dis' + 'able'].join('|'),
  )
  const unrun = new RegExp('\\b(?:it|test|describe)\\.(?:on' + 'ly|to' + 'do|fai' + 'ls)\\b')

  const found = (pattern: RegExp, among: readonly string[]) =>
    among.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .flatMap((text, index) => (pattern.test(text) ? [`${file}:${index + 1} ${text.trim()}`] : [])),
    )

  it('is a marker of unfinished work', () => expect(found(markers, everywhere)).toEqual([]))
  it('is a hole in the types or the lint', () => expect(found(loose, files)).toEqual([]))
  it('is a test that does not run', () => expect(found(unrun, everywhere)).toEqual([]))
})
