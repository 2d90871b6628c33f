import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/* Debian's chromium: there is no download of a browser of its own where the tests run. */

const PLACES = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

export const chromiumPath = PLACES.find((path) => path !== undefined && existsSync(path))

export const MISSING_BROWSER =
  'There is no Chromium: the live page is not tested in a browser. Install it (apt-get install chromium) or set CHROMIUM_PATH.'

export function startBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(MISSING_BROWSER)
  return chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu'] })
}
