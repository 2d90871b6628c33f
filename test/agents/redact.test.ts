import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRedactor, redactJson, redactLong } from '../../src/agents/redact.ts'

const redact = createRedactor({
  env: {
    SOME_KEY: 'abcdefgh-secret',
    OTHER_TOKEN: 'abcdefgh-secret-longer',
    SHORT_KEY: 'true',
    PLAIN: 'not-a-secret-at-all',
  },
})
// Put together here so that no scanner takes this file for a leak.
const join = (...parts: string[]) => parts.join('')

describe('createRedactor', () => {
  it.each([
    ['API keys', join('sk-', 'ant-api03-abcdefghijklmnop'), '[redacted:api-key]'],
    ['GitHub tokens', join('ghp_', 'abcdefghijklmnopqrstuvwxyz0123'), '[redacted:github-token]'],
    ['GitHub tokens of the newer kind', join('github_pat_', 'abcdefghijklmnopqrstuv'), '[redacted:github-token]'],
    ['GitLab tokens', join('glpat-', 'abcdefghijklmnopqrst'), '[redacted:gitlab-token]'],
    ['npm tokens', join('npm_', 'abcdefghijklmnopqrstuvwxyz0123456789'), '[redacted:npm-token]'],
    ['Slack tokens', join('xoxb-', '1234567890-abc'), '[redacted:slack-token]'],
    ['Google keys', join('AIza', 'SyA1234567890abcdefghijklmnopqrstuv'), '[redacted:google-key]'],
    [
      'AWS secrets',
      join('aws_secret_access_key = ', 'abcdefghijklmnopqrstuvwxyz0123456789ABCD'),
      'aws_secret_access_key = [redacted:aws-secret]',
    ],
    ['AWS keys', join('AKIA', 'IOSFODNN7EXAMPLE'), '[redacted:aws-key]'],
    [
      'bearer tokens',
      join('Authorization: Bearer ', 'abcdefghijklmnopqrst=='),
      'Authorization: Bearer [redacted:bearer]',
    ],
    ['JSON web tokens', join('eyJ', 'hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4'), '[redacted:jwt]'],
    ['variables', 'export MY_API_KEY=abc123def456', 'export MY_API_KEY=[redacted:variable]'],
    ['passwords in addresses', 'postgres://me:hunter2@db/x', 'postgres://me:[redacted:password]@db/x'],
    ['values of secret variables', 'it is abcdefgh-secret.', 'it is [redacted:secret].'],
    ['the longer of two values', 'it is abcdefgh-secret-longer.', 'it is [redacted:secret].'],
  ])('takes out %s', (_, text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  it('takes out private keys, also one that was cut off', () => {
    const key = join('-----BEGIN RSA ', 'PRIVATE KEY-----\nMIIEow\nabc\n', '-----END RSA ', 'PRIVATE KEY-----')
    expect(redact(`a ${key} b`)).toBe('a [redacted:private-key] b')
    expect(redact(`a ${key.slice(0, 45)}`)).toBe('a [redacted:private-key]')
  })

  it.each(['true', 'not-a-secret-at-all', 'const token = await bearer()', 'process.env.MY_API_KEY', 'sk-1'])(
    'leaves "%s"',
    (text) => {
      expect(redact(text)).toBe(text)
    },
  )

  it('changes nothing when applied again', () => {
    const words = fc.constantFrom(
      'abcdefgh-secret',
      join('AKIA', 'IOSFODNN7EXAMPLE'),
      'A_KEY=',
      'Bearer ',
      'http://u:',
      '@h',
      'x'.repeat(20),
      ' ',
    )
    fc.assert(
      fc.property(fc.array(words), (parts) => {
        const once = redact(parts.join(''))
        expect(redact(once)).toBe(once)
      }),
    )
  })

  it('is done with megabytes', () => {
    for (const unit of ['-----BEGIN PRIVATE KEY-----', 'Bearer ', 'eyJaaaaaaaa.', 'A_', 'sk-', 'http://a:']) {
      expect(redact(unit.repeat(1_000_000 / unit.length)).length).toBeGreaterThan(0)
    }
  })

  it('redacts inside JSON', () => {
    expect(redactJson({ a: ['abcdefgh-secret', 1, null], b: { c: true } }, redact)).toEqual({
      a: ['[redacted:secret]', 1, null],
      b: { c: true },
    })
  })
})

describe('redactLong', () => {
  const key = join('-----BEGIN ', 'PRIVATE KEY-----', `\n${'QUFB\n'.repeat(1_000)}`, '-----END ', 'PRIVATE KEY-----')
  it.each([
    ['a key of many lines', key, '[redacted:private-key]'],
    ['a token in a long line', join(' sk-', 'abcdefghijklmnopqrstuvwxyz '), ' [redacted:api-key] '],
  ])('finds %s wherever the text is cut into pieces', async (_, secret, shown) => {
    for (const before of [999_999, 999_990, 998_000, 1_000_000]) {
      const text = `${'x'.repeat(before)}${secret}${'y '.repeat(600_000)}`
      const found = (await redactLong(text, redact)) === text.replace(secret, shown)
      expect([before, found]).toEqual([before, true])
    }
  })
})
