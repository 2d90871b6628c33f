import { PassThrough } from 'node:stream'
import { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { changes, LiveTree } from '../../src/cli/render/live-tree.ts'
import { wantsColor } from '../../src/cli/render/paint.ts'
import { table } from '../../src/cli/render/table.ts'
import { renderTree, type TreeItem, type TreeView } from '../../src/cli/render/tree.ts'
import { displayWidth, plainLine, toWidth, truncate } from '../../src/cli/render/width.ts'
import { formatDuration, formatUsd, plural } from '../../src/core/format.ts'

function item(id: string, more: Partial<TreeItem> = {}): TreeItem {
  const fresh = { status: 'planned', attempts: 0, revisions: 0, costUsd: 0, elapsedMs: 0, dependsOn: [] }
  return { id, title: `Title of ${id}`, ...fresh, ...more }
}

const money = item('money', { status: 'accepted', attempts: 1, costUsd: 0.02, elapsedMs: 1300 })
const shares = item('shares', {
  title: 'Split without losing a cent',
  status: 'working',
  attempts: 2,
  revisions: 1,
  costUsd: 0.05,
  elapsedMs: 2600,
  running: 'worker: attempt 2',
  lastNote: 'running the tests',
})
const settle = item('settle', { dependsOn: ['money', 'shares'] })
const view: TreeView = {
  sessionId: 's1',
  task: 'Bring trip-split to green',
  status: 'running',
  elapsedMs: 4200,
  costUsd: 0.18,
  items: [money, shares, settle],
}

describe('renderTree', () => {
  it('shows the session, its items, who is at work and what waits for what', () => {
    expect(renderTree(view, { width: 120 })).toEqual([
      '⠋ Bring trip-split to green  running · 1/3 accepted · 4.2s · $0.18',
      '├─ ✓ money   Title of money               accepted · 1 attempt · $0.02 · 1.3s',
      '├─ ⠋ shares  Split without losing a cent  working · 2 attempts · 1 revision · $0.05 · 2.6s',
      '│    worker: attempt 2 · running the tests',
      '└─ ○ settle  Title of settle              after shares',
    ])
  })

  it('turns the spinner with the frame, and only that', () => {
    const first = renderTree(view, { width: 120, frame: 0 })
    const later = renderTree(view, { width: 120, frame: 11 })
    expect(later).toEqual(first.map((line) => line.replace('⠋', '⠙')))
  })

  it('shortens the titles first when the terminal is narrow', () => {
    expect(renderTree(view, { width: 80 })[2]).toBe(
      '├─ ⠋ shares  Split without lo…  working · 2 attempts · 1 revision · $0.05 · 2.6s',
    )
  })

  it.each([1, 10, 20, 33, 60, 79])('is never wider than %i columns', (width) => {
    const wide = { ...view, items: [{ ...shares, title: '結果を報告する '.repeat(9) }, settle] }
    for (const line of renderTree(wide, { width })) expect(displayWidth(line)).toBeLessThanOrEqual(width)
  })

  it('is the same text with colours', () => {
    const painted = renderTree(view, { width: 80, color: true })
    expect(painted[1]).toContain('\u001b[32m✓\u001b[39m')
    expect(painted.map((line) => stripVTControlCharacters(line).trimEnd())).toEqual(renderTree(view, { width: 80 }))
  })

  it('leaves accepted items out before it cuts, and keeps their count', () => {
    expect(renderTree(view, { width: 120, maxLines: 5 })).toEqual(renderTree(view, { width: 120 }))
    expect(renderTree(view, { width: 120, maxLines: 4 })).toEqual([
      '⠋ Bring trip-split to green  running · 1/3 accepted · 4.2s · $0.18',
      '├─ ⠋ shares  Split without losing a cent  working · 2 attempts · 1 revision · $0.05 · 2.6s',
      '│    worker: attempt 2 · running the tests',
      '└─ ○ settle  Title of settle              after shares',
    ])
    expect(renderTree(view, { width: 120, maxLines: 3 }).slice(1)).toEqual([
      '├─ ⠋ shares  Split without losing a cent  working · 2 attempts · 1 revision · $0.05 · 2.6s',
      '… 2 more lines',
    ])
  })

  it('shows a session that has no plan yet', () => {
    const planning = { ...view, status: 'planning', items: [] }
    expect(renderTree(planning, { width: 80 })).toEqual(['⠋ Bring trip-split to green  planning · 4.2s · $0.18'])
  })

  it('marks what failed and what is blocked, with the reason', () => {
    const failed = item('money', { status: 'failed', attempts: 3, revisions: 2, lastNote: 'gate: 1 failed' })
    const blocked = item('shares', { status: 'blocked', dependsOn: ['money'] })
    const lines = renderTree({ ...view, status: 'failed', items: [failed, blocked] }, { width: 120 })
    expect(lines.slice(1)).toEqual([
      '├─ ✗ money   Title of money   failed · 3 attempts · 2 revisions · $0.00 · 0ms',
      '│    gate: 1 failed',
      '└─ ! shares  Title of shares  blocked by money',
    ])
  })

  it('lets no title move the cursor or break the line', () => {
    const evil = item('x', { title: 'a\u001b[2J\nb\r\u0007c' })
    expect(renderTree({ ...view, items: [evil] }, { width: 80 })[1]).toBe('└─ ○ x  a b c  planned')
  })
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal codes are what it reads
const TERMINAL_TOKEN = /\u001b\[\??\d*[A-Za-z]|\n|[^\u001b\n]+/g

class FakeTerminal extends PassThrough {
  readonly isTTY: boolean
  columns = 120
  rows = 24
  readonly writes: string[] = []
  constructor(isTTY: boolean) {
    super()
    this.isTTY = isTTY
    this.on('data', (chunk) => this.writes.push(String(chunk)))
  }
  /** What a person sees: lines, with cursor-up and clear applied. */
  screen(): string[] {
    const lines: string[] = ['']
    let row = 0
    for (const [token] of this.writes.join('').matchAll(TERMINAL_TOKEN)) {
      if (token === '\n') lines[++row] ??= ''
      else if (token.endsWith('A') && token.startsWith('\u001b')) row -= Number(token.slice(2, -1))
      else if (token === '\u001b[J') lines.splice(row, Number.POSITIVE_INFINITY, '')
      else if (token === '\u001b[2K') lines[row] = ''
      else if (!token.startsWith('\u001b')) lines[row] += token
    }
    return lines
  }
}

describe('LiveTree', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    vi.stubEnv('FORCE_COLOR', '0')
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllEnvs()
  })

  const onTerminal = (now = () => 0) => {
    const stream = new FakeTerminal(true)
    return { stream, tree: new LiveTree(stream, { now }) }
  }
  const lines = (shown: TreeView, frame = 0) => [...renderTree(shown, { width: 119, frame }), '']

  it('draws at once, then at most every 100 ms, in place', () => {
    const { stream, tree } = onTerminal()
    tree.update(view)
    expect(stream.screen()).toEqual(lines(view))
    const written = stream.writes.length
    for (let i = 0; i < 50; i += 1) tree.update({ ...view, costUsd: i })
    expect(stream.writes.length).toBe(written)
    vi.advanceTimersByTime(100)
    expect(stream.writes.length).toBe(written + 1)
    expect(stream.screen()).toEqual(lines({ ...view, costUsd: 49 }, 1))
    tree.stop()
  })

  it('assumes 80 × 24 when the terminal does not know its size', () => {
    const { stream, tree } = onTerminal()
    Object.assign(stream, { columns: 0, rows: 0 })
    tree.update(view)
    expect(stream.screen()).toEqual([...renderTree(view, { width: 79 }), ''])
    tree.stop()
  })

  it('leaves nothing behind of a picture that was taller', () => {
    const { stream, tree } = onTerminal()
    tree.update(view)
    tree.update({ ...view, items: [money] })
    vi.advanceTimersByTime(100)
    expect(stream.screen()).toEqual(lines({ ...view, items: [money] }, 1))
    tree.stop()
  })

  it('lets the clocks of what runs go on between two views', () => {
    let now = 0
    const { stream, tree } = onTerminal(() => now)
    tree.update(view)
    now = 500
    vi.advanceTimersByTime(100)
    const later = { ...view, elapsedMs: 4700, items: [money, { ...shares, elapsedMs: 3100 }, settle] }
    expect(stream.screen()).toEqual(lines(later, 1))
    tree.stop()
  })

  it('prints lines above the tree', () => {
    const { stream, tree } = onTerminal()
    tree.update(view)
    tree.print('killed worker 4711')
    tree.print('resumed')
    expect(stream.screen()).toEqual(['killed worker 4711', 'resumed', ...lines(view)])
    tree.stop()
  })

  it('stops with the newest view, the cursor shown, no timer and no exit listener left', () => {
    const listeners = process.listenerCount('exit')
    const { stream, tree } = onTerminal()
    tree.update(view)
    expect(stream.writes[0]).toBe('\u001b[?25l')
    expect(process.listenerCount('exit')).toBe(listeners + 1)
    const done = { ...view, status: 'completed', items: [money] }
    tree.update(done)
    tree.stop()
    tree.stop()
    expect(stream.screen()).toEqual(lines(done))
    expect(stream.writes.filter((text) => text === '\u001b[?25h')).toHaveLength(1)
    expect(process.listenerCount('exit')).toBe(listeners)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('prints one line per change when it is no terminal, and starts no timer', () => {
    const stream = new FakeTerminal(false)
    const tree = new LiveTree(stream, { now: () => 0 })
    tree.update({ ...view, items: [money] })
    tree.update({ ...view, items: [money], costUsd: 1 })
    tree.print('a note')
    tree.stop()
    expect(stream.writes).toEqual(['   4.2s  session  running\n', '   4.2s  money  accepted\n', 'a note\n'])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('changes', () => {
  it('names what is different', () => {
    const after = { ...view, elapsedMs: 6000, items: [money, { ...shares, status: 'reviewing' }, settle] }
    expect(changes(view, after)).toEqual(['   6.0s  shares  reviewing · worker: attempt 2 · running the tests'])
    expect(changes(after, after)).toEqual([])
  })
})

describe('table', () => {
  interface Row {
    readonly name: string
    readonly calls: number
  }
  const columns = [
    { header: 'item', value: (row: Row) => row.name, maxWidth: 8 },
    { header: 'calls', value: (row: Row) => row.calls, align: 'right' as const },
    { header: 'note', value: () => '' },
  ]

  it('aligns by what a terminal shows', () => {
    const rows = [
      { name: '日本', calls: 2 },
      { name: 'long enough', calls: 10 },
    ]
    expect(table(rows, columns)).toEqual(['item      calls  note', '日本          2', 'long en…     10'])
  })

  it('is a header without rows', () => {
    expect(table([], columns)).toEqual(['item  calls  note'])
  })
})

describe('formats', () => {
  it.each([
    [0, '$0.00'],
    [0.0042, '$0.0042'],
    [0.18, '$0.18'],
    [12.345, '$12.35'],
  ])('%d dollars as %s', (usd, text) => expect(formatUsd(usd)).toBe(text))

  it.each([
    [0, '0ms'],
    [-5, '0ms'],
    [999.9, '999ms'],
    [1000, '1.0s'],
    [59_999, '59.9s'],
    [60_000, '1m 00s'],
    [187_000, '3m 07s'],
    [3_599_999, '59m 59s'],
    [7_500_000, '2h 05m'],
  ])('%d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('counts', () => {
    expect([0, 1, 2].map((count) => plural(count, 'call'))).toEqual(['0 calls', '1 call', '2 calls'])
  })
})

describe('width', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['ｱ', 1],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['❤️', 2],
    ['한국', 4],
    ['', 0],
  ])('%s takes %i columns', (text, width) => expect(displayWidth(text)).toBe(width))

  it('cuts between characters, never through one', () => {
    expect(truncate('日本語', 6)).toBe('日本語')
    expect(truncate('日本語', 5)).toBe('日本…')
    expect(truncate('日本語', 4)).toBe('日…')
    expect(truncate('👩‍👩‍👧👩‍👩‍👧', 3)).toBe('👩‍👩‍👧…')
    expect([1, 0, -1].map((width) => truncate('abc', width))).toEqual(['…', '', ''])
  })

  it('fills to the exact width', () => {
    expect([toWidth('日', 4), toWidth('日', 4, 'right'), toWidth('日本', 3)]).toEqual(['日  ', '  日', '日…'])
  })

  it('makes one plain line of anything', () => {
    expect(plainLine('  a\t\tb\r\n\u001b[31mc\u001b[0m\u0000d ')).toBe('a b c d')
  })
})

describe('colours', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('are for terminals, unless NO_COLOR is set', () => {
    vi.stubEnv('FORCE_COLOR', undefined)
    vi.stubEnv('NO_COLOR', undefined)
    vi.stubEnv('CI', undefined)
    vi.stubEnv('TERM', 'xterm-256color')
    const getColorDepth = WriteStream.prototype.getColorDepth
    const terminal = Object.assign(new PassThrough(), { isTTY: true, getColorDepth })
    expect(wantsColor(terminal)).toBe(true)
    expect(wantsColor(new PassThrough())).toBe(false)
    vi.stubEnv('NO_COLOR', '1')
    expect(wantsColor(terminal)).toBe(false)
  })
})
