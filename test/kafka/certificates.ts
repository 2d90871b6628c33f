import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A certificate made for the run, signed by itself, so that it is its own authority. All are paths of files in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  /** Key and certificate in one, as a broker's keystore. */
  readonly both: string
}

const run = promisify(execFile)

export async function makeCertificate(
  dir: string,
  name: string,
  { altNames = 'IP:127.0.0.1,DNS:localhost' } = {},
): Promise<Certificate> {
  const file = (end: string) => join(dir, `${name}-${end}.pem`)
  const [cert, key, both] = [file('cert'), file('key'), file('both')]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const who = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${altNames}`]
  await run('openssl', ['req', ...kind, ...who, '-keyout', key, '-out', cert])
  await writeFile(both, (await readFile(key, 'utf8')) + (await readFile(cert, 'utf8')))
  return { cert, key, both }
}

/** server.properties for a listener with TLS; with `clients`, one that wants to see a certificate signed by it. */
export async function tlsProperties(
  broker: Certificate,
  clients?: Certificate,
): Promise<Readonly<Record<string, string>>> {
  const trusted = await Promise.all([broker, clients ?? broker].map(({ cert }) => readFile(cert, 'utf8')))
  const trustFile = `${broker.both}.trust${clients === undefined ? '' : '-clients'}.pem`
  await writeFile(trustFile, trusted.join(''))
  return {
    'listener.security.protocol.map': 'PLAINTEXT:SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': broker.both,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': trustFile, // itself too: a broker tries its listener before it opens it
    ...(clients && { 'ssl.client.auth': 'required' }),
  }
}
