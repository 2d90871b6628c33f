import fc from 'fast-check'

/*
 * What may happen in one run of the model, as values: fast-check chooses them, and makes a run that fails smaller. `dice` throws what is
 * left to chance: delays, and which requests and answers the network loses.
 */

export interface Call {
  readonly stream: string
  /** A number: one of the keys that several appends share. */
  readonly key: 'none' | 'own' | number
  readonly expected: number | undefined
  readonly events: number
  readonly sends: boolean
  readonly checkpoint: boolean
  readonly readsAfter: boolean
}

export interface Process {
  readonly replica: 'memory' | 'file'
  /** One of the drivers can tell that something lies behind a place without reading it. */
  readonly watches: boolean
  readonly killedAtMs: number | undefined
  /** SIGSTOP and SIGCONT: nothing reaches it meanwhile, and nothing leaves it. */
  readonly frozen: Span | undefined
  readonly callers: readonly (readonly Call[])[]
}

export interface Span {
  readonly atMs: number
  readonly forMs: number
}

/** A new leader does not know at once what was committed under the former one. */
export interface LeaderChange extends Span {
  /** How many of the newest entries it does not show. */
  readonly hides: number
}

/** The former leader does not know that it leads no more, and one process still asks it. */
export interface Isolation extends Span {
  readonly process: number
}

export interface Schedule {
  readonly dice: number
  /** How much of what is sent gets lost: 0 to 0.3. */
  readonly trouble: number
  readonly processes: readonly Process[]
  readonly leaderChanges: readonly LeaderChange[]
  readonly isolations: readonly Isolation[]
}

const ms = (longest: number) => fc.integer({ min: 0, max: longest })
/** Nothing, `times` times as often as something. */
const seldom = <T>(times: number, some: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: times }, { arbitrary: some, weight: 1 })
const oneIn = (times: number) =>
  fc.oneof({ arbitrary: fc.constant(false), weight: times - 1 }, { arbitrary: fc.constant(true), weight: 1 })

const calls: fc.Arbitrary<Call> = fc.record({
  stream: fc.constantFrom('a', 'b', 'c'),
  key: fc.oneof(
    { arbitrary: fc.constant('none' as const), weight: 6 },
    { arbitrary: fc.constant('own' as const), weight: 11 },
    { arbitrary: fc.integer({ min: 0, max: 3 }), weight: 3 },
  ),
  expected: fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 6 },
    { arbitrary: fc.integer({ min: 0, max: 5 }), weight: 4 },
  ),
  events: fc.oneof({ arbitrary: fc.constant(0), weight: 1 }, { arbitrary: fc.constantFrom(1, 2), weight: 9 }),
  sends: oneIn(5),
  checkpoint: oneIn(5),
  readsAfter: oneIn(3),
})

const full = { size: 'max' } as const

const processes: fc.Arbitrary<Process> = fc.record({
  replica: fc.oneof(
    { arbitrary: fc.constant('memory' as const), weight: 5 },
    { arbitrary: fc.constant('file' as const), weight: 1 },
  ),
  watches: fc.boolean(),
  killedAtMs: seldom(1, fc.oneof(ms(100), ms(1000))),
  frozen: seldom(5, fc.record({ atMs: ms(1000), forMs: fc.oneof(ms(500), ms(15_000)) })),
  callers: fc.array(fc.array(calls, { minLength: 2, maxLength: 4, ...full }), { minLength: 2, maxLength: 3, ...full }),
})

export const schedules: fc.Arbitrary<Schedule> = fc.record({
  dice: fc.noShrink(fc.integer()),
  trouble: fc.oneof(
    { arbitrary: fc.constant(0), weight: 1 },
    { arbitrary: fc.double({ min: 0, max: 0.3, noNaN: true }), weight: 4 },
  ),
  processes: fc.array(processes, { minLength: 2, maxLength: 3, ...full }),
  leaderChanges: fc.array(fc.record({ atMs: ms(1500), forMs: ms(100), hides: fc.integer({ min: 1, max: 8 }) }), {
    maxLength: 2,
  }),
  isolations: fc.oneof(
    { arbitrary: fc.constant([]), weight: 4 },
    {
      arbitrary: fc.array(fc.record({ atMs: ms(1500), forMs: ms(300), process: fc.integer({ min: 0, max: 2 }) }), {
        minLength: 1,
        maxLength: 2,
      }),
      weight: 1,
    },
  ),
})

/** From `seed`, and `path` in it: what a failure printed. */
export async function checkSchedules(
  run: (schedule: Schedule) => Promise<void>,
  { runs, seed, path }: { readonly runs: number; readonly seed: number; readonly path?: string | undefined },
): Promise<void> {
  await fc.assert(fc.asyncProperty(schedules, run), {
    numRuns: runs,
    seed,
    ...(path !== undefined && { path, endOnFailure: true }),
  })
}
