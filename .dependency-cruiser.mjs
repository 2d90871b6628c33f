/**
 * Who may import whom (docs/internals/architecture.md):
 *
 *   core ◄─ store ◄─ processing ◄─ agents ◄─ compat
 *             ▲ store/{memory,sqlite,kafka} ─► kafka
 *
 * testing, monitoring, cli and the public lists in src/*.ts are composition roots.
 */

/** What a layer may import besides itself, as regular expressions over paths. */
const layers = {
  core: [],
  store: ['core'],
  'store/memory': ['core', 'store/[^/]+[.]ts'],
  'store/sqlite': ['core', 'store/[^/]+[.]ts'],
  'store/kafka': ['core', 'store/[^/]+[.]ts', 'store/sqlite', 'store/memory', 'kafka'],
  kafka: ['core', 'store/[^/]+[.]ts'],
  processing: ['core', 'store/[^/]+[.]ts'],
  agents: ['core', 'store/[^/]+[.]ts', 'processing'],
  compat: ['core', 'store/[^/]+[.]ts', 'processing', 'agents'],
  monitoring: ['core', 'store/[^/]+[.]ts', 'processing', 'agents', 'kafka'],
  testing: ['core', 'store/[^/]+[.]ts', 'store/memory', 'processing', 'agents'],
}

/** The one file of the store's own folder that chooses a backing. */
const chooser = '^src/store/open-event-store[.]ts$'

function layerRule([layer, allowed]) {
  const own = layer === 'store' ? '^src/store/[^/]+[.]ts$' : `^src/${layer}/`
  return {
    name: `layer-${layer.replace('/', '-')}`,
    comment: `src/${layer} may import only itself${allowed.length > 0 ? ` and ${allowed.join(', ')}` : ''}.`,
    severity: 'error',
    from: { path: own, ...(layer === 'store' ? { pathNot: chooser } : {}) },
    to: { path: '^src/', pathNot: [own, ...allowed.map((to) => `^src/${to}${to.endsWith(']ts') ? '$' : '/'}`)] },
  }
}

/** Only these files may import a given package. */
const owners = {
  kafkajs: '^src/kafka/drivers/kafkajs[.]ts$',
  '@platformatic/kafka': '^src/kafka/drivers/platformatic-library[.]ts$',
  '@anthropic-ai/claude-agent-sdk': '^src/agents/executors/claude-sdk[.]ts$',
  commander: '^src/cli/',
}

function ownerRule([name, file]) {
  return {
    name: `only-one-imports-${name.replace(/[^a-z]+/g, '-')}`,
    severity: 'error',
    from: { path: '^src/', pathNot: file },
    to: { path: `node_modules/${name}/` },
  }
}

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-is-pure',
      comment: 'P1: no I/O, no clock, no randomness of its own below the ports.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'backing-only-through-the-chooser',
      comment: 'Nobody but the composition roots names a backing.',
      severity: 'error',
      from: { path: '^src/(core|processing|agents|compat)/|^src/store/[^/]+[.]ts$', pathNot: chooser },
      to: { path: '^src/(kafka|store/(memory|sqlite|kafka))/' },
    },
    {
      name: 'public-lists-are-leaves',
      comment: 'Inside the package, import the module, not the public list.',
      severity: 'error',
      from: { path: '^src/.+/' },
      to: { path: '^src/[^/]+[.]ts$' },
    },
    {
      name: 'nothing-outside-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples|scripts)/' },
    },
    {
      name: 'only-declared-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      // Optional peers are installed for our tests, too; cockatiel is built in (decision 11).
      to: {
        pathNot: '(^|/)node_modules/cockatiel/',
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'undetermined'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...Object.entries(layers).map(layerRule),
    ...Object.entries(owners).map(ownerRule),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'module-sync', 'node', 'default', 'types'],
    },
    builtInModules: { add: ['sqlite'] },
  },
}
