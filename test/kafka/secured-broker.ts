import type { NativeBroker } from '../support/broker-native.ts'
import { plainKafka } from '../support/plain-kafka.ts'

/** server.properties for SASL/PLAIN and ACLs: `admin` may do everything, whoever has no ACL nothing. */
export function securedProperties(passwords: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const users = Object.entries(passwords).map(([user, password]) => `user_${user}="${password}"`)
  const module = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const own = `username="admin" password="${passwords.admin}"`
  return {
    'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'sasl.enabled.mechanisms': 'PLAIN',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'listener.name.plaintext.plain.sasl.jaas.config': `${module} ${own} ${users.join(' ')};`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:admin;User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': 'false',
  }
}

const OPERATIONS = { Read: 3, Write: 4, Describe: 8, DescribeConfigs: 10 } as const
const KINDS = { Topic: 2, Group: 3, TransactionalId: 5 } as const

export interface Grant {
  readonly operation: string
  readonly kind: keyof typeof KINDS
}

/** Gives the account `reader` rights on everything that begins with `acl.`. */
export async function securedTool(
  broker: NativeBroker,
  passwords: Readonly<Record<string, string>>,
  grants: readonly Grant[],
): Promise<void> {
  const sasl = { mechanism: 'plain', username: 'admin', password: passwords.admin ?? '' } as const
  const admin = plainKafka(broker.address, { sasl }).admin()
  await admin.connect()
  try {
    await admin.createAcls({
      acl: grants.map(({ operation, kind }) => ({
        resourceType: KINDS[kind],
        resourceName: kind === 'TransactionalId' ? 'duolog.writer.acl.' : 'acl.',
        resourcePatternType: 4,
        principal: 'User:reader',
        host: '*',
        operation: OPERATIONS[operation as keyof typeof OPERATIONS],
        permissionType: 3,
      })),
    })
  } finally {
    await admin.disconnect()
  }
}
