import assert from 'node:assert/strict'
import { createInbox, type InboxStore, type InboxWindow } from '../processing/inbox.ts'
import type { ContractRunner } from './store-contract.ts'

/*
 * The contract of the InboxStore port: what every place for an inbox does.
 */

/** Options of {@link inboxContract}. */
export interface InboxContractOptions {
  /** Shown as the name of the suite. */
  readonly name: string
  /** `describe` and `it` of your test runner. */
  readonly runner: Pick<ContractRunner, 'describe' | 'it'>
  /** A new, empty store with this window; the suite closes it. */
  readonly open: (window?: InboxWindow) => Promise<InboxStore>
}

type Body = (open: InboxContractOptions['open']) => Promise<void>

/** Declares the contract suite for one place an inbox can be kept in. */
export function inboxContract({ name, runner, open }: InboxContractOptions): void {
  runner.describe(`Inbox contract: ${name}`, () => {
    for (const [title, body] of Object.entries(TESTS)) {
      runner.it(title, async () => {
        const opened: InboxStore[] = []
        try {
          await body(async (window) => {
            const store = await open(window)
            opened.push(store)
            return store
          })
        } finally {
          for (const store of opened) await store.close()
        }
      })
    }
  })
}

const TESTS: Readonly<Record<string, Body>> = {
  'I1 an effect runs once per message and consumer': async (open) => {
    const store = await open()
    const [mailer, payer] = ['mailer', 'payer'].map((consumer) => createInbox({ consumer, store }))
    const effects: string[] = []
    const effect = async ({ idempotencyKey }: { idempotencyKey: string }) => effects.push(idempotencyKey)
    assert.equal(await mailer?.once('m1', effect), 'done')
    assert.equal(await mailer?.once('m1', effect), 'repeated')
    assert.equal(await payer?.once('m1', effect), 'done')
    assert.deepEqual(effects, ['mailer/m1', 'payer/m1'])
    assert.deepEqual(await mailer?.inDoubt(), [])
  },
  'an effect that rejects may be tried again': async (open) => {
    const inbox = createInbox({ consumer: 'c', store: await open() })
    await assert.rejects(
      inbox.once('m', () => Promise.reject(new Error('away'))),
      /away/,
    )
    assert.equal(await inbox.once('m', async () => {}), 'done')
  },
  'P7 an effect that was not seen to end is in doubt: not repeated, listed, resolved by a person': async (open) => {
    const store = await open()
    const inbox = createInbox({ consumer: 'c', store })
    assert.equal(await store.begin('c', 'm'), 'new')
    assert.deepEqual(await inbox.inDoubt(), ['m'])
    const never = () => Promise.reject(new Error('was run'))
    await assert.rejects(inbox.once('m', never), { code: 'EFFECT_IN_DOUBT', retry: 'never' })
    await inbox.resolve('m', 'not-done')
    assert.equal(await inbox.once('m', async () => {}), 'done')
    await store.begin('c', 'n')
    await inbox.resolve('n', 'done')
    assert.equal(await inbox.once('n', never), 'repeated')
  },
  'in doubt, with the policies retry and skip': async (open) => {
    const store = await open()
    await store.begin('c', 'm')
    const repeats: boolean[] = []
    const retry = createInbox({ consumer: 'c', store, inDoubt: 'retry' })
    assert.equal(await retry.once('m', async ({ isRepeat }) => repeats.push(isRepeat)), 'done')
    assert.deepEqual(repeats, [true])
    await store.begin('c', 'n')
    const skip = createInbox({ consumer: 'c', store, inDoubt: 'skip' })
    assert.equal(await skip.once('n', () => Promise.reject(new Error('was run'))), 'repeated')
    assert.deepEqual(await skip.inDoubt(), [])
  },
  'I2 the window is bounded: the oldest done are forgotten, what is in doubt is not': async (open) => {
    const store = await open({ maxMessages: 10 })
    await store.begin('c', 'doubt')
    for (let n = 0; n < 100; n++) {
      await store.begin('c', `m${n}`)
      await store.finish('c', `m${n}`)
    }
    assert.equal(await store.begin('c', 'm0'), 'new')
    assert.equal(await store.begin('c', 'm99'), 'done')
    assert.equal(await store.begin('c', 'm91'), 'done')
    assert.equal(await store.begin('c', 'doubt'), 'begun')
  },
}
