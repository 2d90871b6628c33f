import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tlsOf } from '../../src/store/kafka/tls-files.ts'

/* What is wrong with the files of TLS is said before any broker is asked; that the right ones work: test/kafka/tls.test.ts. */

const brokers = ['localhost:9093']
let dir: string
let noCertificate: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'duolog-tls-files-'))
  noCertificate = join(dir, 'key.pem')
  await writeFile(noCertificate, '-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

it('without files it is what ssl says', async () => {
  expect(await tlsOf({ brokers })).toBeUndefined()
  expect(await tlsOf({ brokers, ssl: true })).toBe(true)
})

it('a file that is missing, or no certificate, is named with its parameter; what is in it is not repeated', async () => {
  const missing = tlsOf({ brokers, sslCa: join(dir, 'nowhere.pem') })
  await expect(missing).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/^sslCa names ".*nowhere\.pem", which cannot be read \(ENOENT\)\.$/),
  })
  for (const parameters of [{ sslCa: noCertificate }, { sslCert: noCertificate, sslKey: noCertificate }]) {
    const refused = tlsOf({ brokers, ...parameters })
    await expect(refused).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^ssl(Ca|Cert) names ".*key\.pem", which has no certificate in PEM/),
    })
    await refused.catch((error: Error) => expect(String(error)).not.toContain('SECRET'))
  }
})

it.each([
  [{ ssl: false, sslCa: 'ca.pem' }, /^ssl is false, and sslCa/],
  [{ sslCert: 'me.pem' }, /^sslCert needs the key beside it: sslKey/],
  [{ sslKey: 'me.key' }, /^sslKey needs the certificate beside it: sslCert/],
])('%o contradicts itself', async (parameters, message) => {
  await expect(tlsOf({ brokers, ...parameters })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(message),
  })
})
