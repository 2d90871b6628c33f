/** The text everybody reads: one line per person, one line per payment. */
export function report(trip) {
  return `${trip.name}\n`
}
