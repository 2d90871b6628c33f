import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { type Witness, Witnesses } from '../../src/store/kafka/witnesses.ts'
import { holderFolder } from '../../src/store/sqlite/holder-file.ts'
import { loadSqlite } from '../../src/store/sqlite/open-database.ts'

const root = mkdtempSync(join(tmpdir(), 'duolog-witnesses-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0

function newFolder(): string {
  return join(root, `folder-${folders++}`)
}

async function held(witnesses: Witnesses): Promise<Witness> {
  const witness = await witnesses.hold()
  if (witness === undefined) throw new Error('no file could be held')
  return witness
}

describe('witnesses', () => {
  it('a file that is held, one that is missing, and one of another machine say nothing', async () => {
    const path = newFolder()
    const [own, others] = [new Witnesses(silentLogger, path), new Witnesses(silentLogger, path)]
    const witness = await held(own)
    expect(await own.hold()).toEqual(witness)
    expect(await others.saysDead(witness)).toBe(false)
    expect(await others.saysDead({ ...witness, machine: 'another' })).toBe(false)
    own.release()
    expect(await others.saysDead(witness)).toBe(false) // it closed: no file is left
    expect(readdirSync(path)).toEqual([])
  })

  it('a file without its lock says that its process has ended, to each who asks', async () => {
    const path = newFolder()
    const witnesses = new Witnesses(silentLogger, path)
    const { machine, id } = await held(witnesses)
    const left = '00000000-0000-4000-8000-000000000000'
    writeFileSync(join(path, `${left}.alive`), '')
    for (let asked = 0; asked < 2; asked++) expect(await witnesses.saysDead({ machine, id: left })).toBe(true)
    expect(await new Witnesses(silentLogger, path).saysDead({ machine, id })).toBe(false)
    witnesses.release()
  })

  it('what the dead left is swept away after a day, the living are not', async () => {
    const path = newFolder()
    const living = new Witnesses(silentLogger, path)
    const { id } = await held(living)
    const old = new Date(Date.now() - 25 * 3_600_000)
    for (const name of ['old', 'young']) writeFileSync(join(path, `${name}.alive`), '')
    for (const name of ['old', id]) utimesSync(join(path, `${name}.alive`), old, old)
    const next = new Witnesses(silentLogger, path)
    const other = await held(next)
    expect(readdirSync(path).sort()).toEqual([id, other.id, 'young'].map((name) => `${name}.alive`).sort())
    living.release()
    next.release()
  })

  it('a folder that others may write to, a file in its place: no witness, and nothing fails', async () => {
    const open = newFolder()
    mkdirSync(open)
    chmodSync(open, 0o777)
    const file = newFolder()
    writeFileSync(file, '')
    for (const path of [open, file]) {
      const witnesses = new Witnesses(silentLogger, path)
      expect(await witnesses.hold()).toBeUndefined()
      expect(await witnesses.saysDead({ machine: 'any', id: 'any' })).toBe(false)
      witnesses.touch()
      witnesses.release()
    }
    expect(readdirSync(open)).toEqual([])
  })

  it('looking removes nothing, asking does', async () => {
    const path = newFolder()
    mkdirSync(path)
    writeFileSync(join(path, 'left.alive'), '')
    const folder = holderFolder(await loadSqlite(), path)
    expect([folder.look('left'), folder.look('left'), folder.look('never')]).toEqual(['left', 'left', 'missing'])
    expect([folder.isHeld('left'), folder.look('left')]).toEqual([false, 'missing'])
  })
})
