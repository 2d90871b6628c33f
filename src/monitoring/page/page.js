import { setAttribute, setText } from './elements.js'
import { showList } from './list-view.js'
import { showSession } from './session-view.js'

const main = document.getElementById('main')
const connection = document.getElementById('connection')

/** @param {string} state */
function showState(state) {
  if (connection === null) return
  setText(connection, state)
  setAttribute(connection, 'data-state', state)
}

const [, first, sessionId] = location.pathname.split('/')
if (main !== null && first === 'sessions' && sessionId) showSession(main, decodeURIComponent(sessionId), showState)
else if (main !== null) showList(main, showState)
