/** A listener that throws must not end what it was told of. */
export function tell(listener: () => void): void {
  try {
    listener()
  } catch {
    // What it was told of is dealt with all the same.
  }
}
