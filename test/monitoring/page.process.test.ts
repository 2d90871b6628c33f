import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { scriptedExecutor } from '../../src/agents/executors/scripted-executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { type ServedPage, servePage } from '../../src/monitoring/serve-page.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { chromiumPath, MISSING_BROWSER, startBrowser } from './browser.ts'
import { beginSession, goOn } from './sessions.ts'

/*
 * The page in a real browser. In CI a missing browser is a failure; elsewhere it is said and the tests are skipped.
 */

const writer = resolve(import.meta.dirname, 'write-session-main.ts')
const skipped = chromiumPath === undefined && process.env.CI === undefined
if (skipped) console.warn(MISSING_BROWSER)

describe.skipIf(skipped)('the live page in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-page-'))
  const log = `file:${join(folder, 'log.db')}`
  let store: EventStore
  let served: ServedPage
  let browser: Browser
  let page: Page
  let complaints: string[]
  beforeAll(async () => {
    browser = await startBrowser()
    store = await openEventStore(log)
    served = await servePage({ store })
  })
  afterAll(async () => {
    await browser?.close()
    await served?.close()
    await store?.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  afterEach(() => page.close())

  async function open(path: string, options: { width?: number; colorScheme?: 'light' | 'dark' } = {}): Promise<void> {
    const { width = 1200, colorScheme = 'light' } = options
    page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
    complaints = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(served.url + path)
  }

  const rows = () => page.$$eval('.log > li', (all) => all.map((row) => Number(row.getAttribute('data-position'))))
  const shows = (position: number) =>
    page.waitForSelector(`.log > li[data-position="${position}"]`, { state: 'attached' })
  const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

  it('shows history, then what another process writes, in order and once, also across a restart of the server', async () => {
    await beginSession(store, 's1', 'Watch me')
    await goOn(store, 's1', 9, 'history')
    await open('sessions/s1')
    await shows(10)
    expect(await page.textContent('h1')).toBe('Watch me')

    const other = spawn(process.execPath, [writer, log, 's1', '60', '20'], { stdio: ['ignore', 'ignore', 'inherit'] })
    const written = once(other, 'close')
    await shows(20)
    const port = Number(new URL(served.url).port)
    await served.close()
    await page.waitForSelector('#connection[data-state="reconnecting"]')
    expect(await written).toEqual([0, null])
    served = await servePage({ store, port })
    await shows(70)
    await page.waitForSelector('#connection[data-state="live"]')

    expect(await rows()).toEqual(span(1, 70))
    const texts = await page.$$eval('.log .text', (all) => all.map((text) => text.textContent))
    expect(texts.slice(10)).toEqual(span(1, 60).map((count) => `phase execution · note live ${count}`))
    expect(await page.isVisible('.problem')).toBe(false)
  })

  it('keeps a bounded number of rows, however many come', async () => {
    await beginSession(store, 'long')
    await open('sessions/long')
    await shows(1)
    await goOn(store, 'long', 3000)
    await shows(3001)
    expect(await rows()).toEqual(span(2502, 3001))
    expect(await page.textContent('.log-note')).toBe('2,501 earlier events, all with: duolog events long')
  })

  it('shows what agents wrote as text, runs none of it, and draws the plan with its calls', async () => {
    const evil = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
    const session = await runSession(store, folder, evil)
    await open(`sessions/${session}`)
    await page.waitForSelector('.badge[data-status="completed"]')
    const titles = await page.$$eval('.plan .item-title', (all) => all.map((title) => title.textContent))
    expect(titles).toEqual(['The session itself', evil, 'Second'])
    const answer = page.locator('.log summary', { hasText: 'work:first:1 answered' })
    await answer.focus()
    await page.keyboard.press('Enter')
    expect(await page.locator('.log pre').textContent()).toContain(evil)
    expect(await page.$$('main script, main img')).toEqual([])
    expect(await page.title()).toBe('✓ Two files · duolog')

    const bars = await page.$$eval('.plan .bar', (all) => all.map((bar) => bar.getAttribute('data-purpose')))
    expect(bars.toSorted()).toEqual(['plan', 'review', 'review', 'work', 'work'])
    const lane = await page.getAttribute('.plan > li:last-child .lane', 'aria-label')
    expect(lane).toMatch(/^worker: work, attempt 1, completed, .*; manager: review, attempt 1, completed/)
    await page.click('.calls > summary')
    // The browser tells of what was opened a moment later.
    await expect.poll(() => page.$$eval('.calls tbody tr', (all) => all.length)).toBe(5)
    expect(complaints).toEqual([])
  })

  it('says of a fork what it goes on from, and leads there', async () => {
    await beginSession(store, 'origin', 'What was before')
    const coordinator = new KafkaAgentCoordinator({ store })
    const { sessionId } = await coordinator.fork('origin', { at: 1 })
    await coordinator.close()
    await open(`sessions/${sessionId}`)
    await page.waitForSelector('.forked a')
    expect(await page.textContent('.forked')).toBe('Forked from origin at version 1')
    await page.click('.forked a')
    await page.waitForSelector('.crumbs:has-text("origin") ~ h1:has-text("What was before")')
    expect(await page.isVisible('.forked')).toBe(false)
    expect(complaints).toEqual([])
  })

  it.each([
    [380, 'light'],
    [1200, 'dark'],
  ] as const)(
    'fits into %i pixels, is readable when %s, and is reached by the keyboard',
    async (width, colorScheme) => {
      await open('', { width, colorScheme })
      await page.waitForSelector('.sessions > li')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.className')).toBe('session-link')
      await page.keyboard.press('Enter')
      await page.waitForSelector('.plan > li')
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      for (const selector of ['h1', '.item-title', '.item-facts', '.badge', '.log .text', '.log .type'])
        expect(await contrast(page, selector), selector).toBeGreaterThanOrEqual(4.5)
    },
  )

  it('says that there is no such session, and asks no more', async () => {
    await open('sessions/nobody')
    await page.waitForSelector('#connection[data-state="stopped"]')
    expect(await page.textContent('.problem')).toContain('There is no session "nobody"')
  })
})

async function runSession(store: EventStore, workDir: string, title: string): Promise<string> {
  const item = (id: string, name: string) => ({
    ...{ id, title: name, description: name, acceptanceCriteria: [name], priority: 1, dependencies: [] },
  })
  const executor = scriptedExecutor({
    plans: [{ strategy: 'both', workItems: [item('first', title), item('second', 'Second')] }],
    items: { first: { attempts: [{ output: title }] }, second: { attempts: [{ output: 'done' }] } },
  })
  const coordinator = new KafkaAgentCoordinator({ store, executor })
  const { sessionId } = await coordinator.run('Two files', { workDir })
  await coordinator.close()
  return sessionId
}

const contrastSource = readFileSync(resolve(import.meta.dirname, 'fixtures/contrast.js'), 'utf8')

/** The events are drawn a moment after the plan. */
async function contrast(page: Page, selector: string): Promise<number> {
  await page.waitForSelector(selector)
  return page.evaluate(`${contrastSource}; contrast(${JSON.stringify(selector)})`)
}
