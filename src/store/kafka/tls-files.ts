import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { DuologError } from '../../core/errors.ts'
import type { TlsOptions } from '../../kafka/driver.ts'
import type { KafkaConnection } from './connection.ts'

/*
 * The files a connection names for TLS, read and looked at before anybody is asked: a file that is missing, or is something
 * else, is an error that names the parameter and the file, never what is in it.
 */

type FileParameter = 'sslCa' | 'sslCert' | 'sslKey'

/** @throws INVALID_ARGUMENT naming the parameter. */
export async function tlsOf(connection: KafkaConnection): Promise<boolean | TlsOptions | undefined> {
  const { ssl, sslCa, sslCert, sslKey } = connection
  if (sslCa === undefined && sslCert === undefined && sslKey === undefined) return ssl
  if (ssl === false) throw wrong('ssl', 'is false, and sslCa, sslCert or sslKey name a file. Leave one of both out')
  if (sslCert === undefined && sslKey !== undefined) throw wrong('sslKey', 'needs the certificate beside it: sslCert')
  if (sslKey === undefined && sslCert !== undefined) throw wrong('sslCert', 'needs the key beside it: sslKey')
  return {
    ...(sslCa !== undefined && { ca: await certificates('sslCa', sslCa) }),
    ...(sslCert !== undefined && sslKey !== undefined && (await ownCertificate(sslCert, sslKey))),
  }
}

async function ownCertificate(
  sslCert: string,
  sslKey: string,
): Promise<{ readonly cert: string; readonly key: string }> {
  const cert = await certificates('sslCert', sslCert)
  const key = await read('sslKey', sslKey)
  try {
    createSecureContext({ cert, key })
  } catch {
    throw wrong(
      'sslKey',
      `names "${sslKey}", which is not the key (PEM, without a password) of the certificate in "${sslCert}"`,
    )
  }
  return { cert, key }
}

async function certificates(parameter: FileParameter, file: string): Promise<string> {
  const pem = await read(parameter, file)
  try {
    return new X509Certificate(pem) && pem
  } catch {
    throw wrong(parameter, `names "${file}", which has no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
  }
}

async function read(parameter: FileParameter, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw wrong(parameter, `names "${file}", which cannot be read (${why})`)
  }
}

function wrong(parameter: string, flaw: string): DuologError {
  return new DuologError('INVALID_ARGUMENT', `${parameter} ${flaw}.`)
}
