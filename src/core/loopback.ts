/** The names by which this machine, and no other, calls itself in URLs and Host headers. */
export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]']
