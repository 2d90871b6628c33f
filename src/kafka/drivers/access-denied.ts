import { KafkaError } from '../driver.ts'

/*
 * A broker that denies access names neither what was asked for nor the right that is missing. Whoever asked knows both.
 */

export interface Asked {
  readonly topics?: readonly string[]
  /** What was asked of the topics, in the words of Kafka's ACLs. */
  readonly topicOperations?: string
  readonly transactionalId?: string
  readonly groups?: readonly string[]
}

/** The same error; where access was denied, with the operation and the resource that the principal has no right to. */
export function nameDenied(error: KafkaError, asked: Asked): KafkaError {
  const right = missingRight(error.type, asked)
  if (right === undefined) return error
  const { code, type } = error
  return new KafkaError(code, `${type}: the principal needs ${right}`, { type, cause: error })
}

function missingRight(type: string | undefined, asked: Asked): string | undefined {
  const { topics = [], topicOperations = 'Describe', transactionalId, groups = [] } = asked
  switch (type) {
    case 'TOPIC_AUTHORIZATION_FAILED':
      return `${topicOperations} on ${listed('topic', topics)}`
    case 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED':
      return `Write and Describe on ${listed('transactional id', transactionalId === undefined ? [] : [transactionalId])}`
    case 'GROUP_AUTHORIZATION_FAILED':
      return `Read and Describe on ${listed('group', groups)}`
    case 'CLUSTER_AUTHORIZATION_FAILED':
      return 'Create on the cluster, or on each topic to be made'
    default:
      return undefined
  }
}

function listed(kind: string, names: readonly string[]): string {
  const unique = [...new Set(names)]
  return `the ${kind}${unique.length === 1 ? '' : 's'} ${unique.map((name) => `"${name}"`).join(', ')}`
}
