import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** Every TypeScript file below a folder, in a fixed order. */
export function typescriptFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name).replaceAll('\\', '/'))
    .sort()
}

export function countLines(file: string): number {
  return readFileSync(file, 'utf8').trimEnd().split('\n').length
}

export interface MeasuredFunction {
  readonly where: string
  /** Lines of the function, the lines of functions inside it not counted. */
  readonly lines: number
  /** Deepest nesting of control flow within the function, from 0. */
  readonly nesting: number
}

type FunctionNode = ts.FunctionLikeDeclaration & { body: ts.Node }

function isFunction(node: ts.Node): node is FunctionNode {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined
}

const controlFlow = new Set([
  ts.SyntaxKind.IfStatement,
  ts.SyntaxKind.ForStatement,
  ts.SyntaxKind.ForOfStatement,
  ts.SyntaxKind.ForInStatement,
  ts.SyntaxKind.WhileStatement,
  ts.SyntaxKind.DoStatement,
  ts.SyntaxKind.SwitchStatement,
  ts.SyntaxKind.TryStatement,
])

/** `else if` continues its chain; it is no deeper level. */
function deepens(node: ts.Node): boolean {
  return controlFlow.has(node.kind) && !(ts.isIfStatement(node.parent) && node.parent.elseStatement === node)
}

function deepest(node: ts.Node): number {
  let most = 0
  ts.forEachChild(node, (child) => {
    if (!isFunction(child)) most = Math.max(most, deepest(child) + (deepens(child) ? 1 : 0))
  })
  return most
}

function nameOf(node: FunctionNode): string {
  if (node.name !== undefined) return node.name.getText()
  const owner = node.parent
  return ts.isVariableDeclaration(owner) || ts.isPropertyAssignment(owner) ? owner.name.getText() : '(anonymous)'
}

/** Measures every function of a source text. */
export function measureFunctions(file: string, text: string): MeasuredFunction[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const line = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const span = (node: ts.Node) => line(node.getEnd()) - line(node.getStart()) + 1
  const measured: MeasuredFunction[] = []

  const visit = (node: ts.Node): number => {
    let inside = 0
    ts.forEachChild(node, (child) => {
      inside += visit(child)
    })
    if (!isFunction(node)) return inside
    const where = `${file}:${line(node.getStart()) + 1} ${nameOf(node)}`
    measured.push({ where, lines: Math.max(1, span(node) - inside), nesting: deepest(node.body) })
    return span(node)
  }
  visit(source)
  return measured
}

export function measureFile(file: string): MeasuredFunction[] {
  return measureFunctions(file, readFileSync(file, 'utf8'))
}

/** The value below which `share` of the numbers lie. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
