// The sign-in and consent pages in Chromium, driven as a person does. Reads from standard input what to do:
// {chromium, name, password, port, onward, screenshots, urls: {scenario: authorization request}}.
// Prints {scenario: what the client got back}; an exception is a test that failed.
import { strict as assert } from 'node:assert'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { chromium } from 'playwright-core'

const given = JSON.parse(await text(process.stdin))
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }
const desk = { viewport: { width: 1280, height: 800 } }

// The client: a program on this computer, to which the browser is sent back over plain http. One of its addresses
// sends the browser on, as https://claude.ai/api/mcp/auth_callback does, to where no policy of the page's could name.
const onward = `http://127.0.0.1:${given.onward}`
function answer(request, response) {
  if (request.url.startsWith('/onward') && request.headers.host !== new URL(onward).host) {
    response.writeHead(302, { Location: `${onward}${request.url}` })
    response.end()
    return
  }
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end('<title>Client</title><p>Back at the client.</p>')
}
const servers = [given.port, given.onward].map((port) => createServer(answer).listen(port, '127.0.0.1'))

const browser = await chromium.launch({ executablePath: given.chromium, args: ['--no-sandbox'] })

async function pageWith(options) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options })
  const page = await context.newPage()
  page.troubles = []
  page.on('console', (message) => message.type() === 'error' && page.troubles.push(message.text()))
  page.on('pageerror', (error) => page.troubles.push(String(error)))
  return page
}

const shot = (page, name) => page.screenshot({ path: `${given.screenshots}/${name}.png`, fullPage: true })

async function fill(page, password) {
  await page.getByLabel('Name').fill(given.name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

async function back(page) {
  await page.getByText('Back at the client.').waitFor({ timeout: 5000 })
  return page.url()
}

// The whole page can be read without scrolling sideways, and whatever is pressed is large enough for a finger.
async function fits(page) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  assert.equal(wide, 0, 'the page is wider than the screen')
  for (const button of [...await page.getByRole('button').all(), ...await page.locator('a.button').all()]) {
    const box = await button.boundingBox()
    assert.ok(box.height >= 44, `${await button.textContent()} is ${box.height} px high`)
  }
}

const focused = (page) => page.evaluate(() => {
  const { outlineStyle } = getComputedStyle(document.activeElement)
  return [document.activeElement.name || document.activeElement.textContent.trim(), document.activeElement.value, outlineStyle]
})

// Press Tab until the element named so has the focus, which can be seen.
async function tabTo(page, value) {
  for (let presses = 0; presses < 8; presses++) {
    const [name, current, outline] = await focused(page)
    if (name === value || current === value) {
      assert.notEqual(outline, 'none', `nobody sees that ${value} has the focus`)
      return
    }
    await page.keyboard.press('Tab')
  }
  assert.fail(`${value} is not reached by Tab`)
}

const scenarios = {
  async allow(page) {
    await shot(page, 'sign-in')
    await fill(page, given.password)
    await page.getByRole('heading', { name: 'Allow “Practice client” to use your vault?' }).waitFor()
    const [cookie] = await page.context().cookies()
    assert.equal(cookie.name, '__Host-loop')
    assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Lax')
    await shot(page, 'consent')
    await page.getByRole('button', { name: 'Allow' }).click()
    return back(page)
  },
  async wrongPassword(page) {
    await fill(page, 'not the password')
    await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor()
    assert.equal(await page.getByLabel('Name').inputValue(), given.name)
    assert.equal(await page.getByLabel('Password').inputValue(), '')
    assert.equal((await focused(page))[0], 'password')
    await shot(page, 'wrong-password')
    await fill(page, given.password)
    await page.getByRole('button', { name: 'Allow' }).click()
    return back(page)
  },
  async deny(page) {
    await shot(page, 'dark-sign-in')
    await fill(page, given.password)
    await page.getByRole('button', { name: 'Deny' }).waitFor()
    await shot(page, 'dark-consent-exec')
    await page.getByRole('button', { name: 'Deny' }).click()
    return back(page)
  },
  async otherPerson(page) {
    await fill(page, given.password)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Password').waitFor()
    await page.getByRole('link', { name: 'Cancel' }).click()
    return back(page)
  },
  async allowOnward(page) {
    await fill(page, given.password)
    await page.getByRole('button', { name: 'Allow' }).click()
    return back(page)
  },
  async cancelOnward(page) {
    await page.getByRole('link', { name: 'Cancel' }).click()
    return back(page)
  },
  async keyboard(page) {
    assert.equal((await focused(page))[0], 'name')
    await page.keyboard.type(given.name)
    await page.keyboard.press('Tab')
    assert.equal((await focused(page))[0], 'password')
    await page.keyboard.type(given.password)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Allow' }).waitFor()
    // Enter without a choice must not allow.
    await page.keyboard.press('Enter')
    assert.ok(await page.getByRole('button', { name: 'Allow' }).isVisible())
    await page.keyboard.press('Tab')
    await tabTo(page, 'allow')
    await shot(page, 'keyboard')
    await page.keyboard.press('Enter')
    return back(page)
  },
  async phone(page) {
    await fits(page)
    await shot(page, 'phone-sign-in')
    await fill(page, 'not the password')
    await page.getByRole('alert').waitFor()
    await fits(page)
    await shot(page, 'phone-wrong-password')
    await fill(page, given.password)
    await page.getByRole('button', { name: 'Allow' }).waitFor()
    await fits(page)
    await shot(page, 'phone-consent')
    await page.getByRole('button', { name: 'Deny' }).tap()
    return back(page)
  },
  async badRequest(page) {
    await page.getByRole('alert').getByText('This app is not registered for').waitFor()
    assert.ok(!(await page.content()).includes('evil.example'), 'the page says what a stranger wrote')
    await fits(page)
    await shot(page, 'phone-bad-request')
    return page.url()
  },
}
const screens = { phone, badRequest: phone, deny: { ...desk, colorScheme: 'dark' } }
// The browser tells of these two by itself.
const expected = /the server responded with a status of (400|403)|favicon/

const outcomes = {}

async function play(scenario, url) {
  const page = await pageWith(screens[scenario] ?? desk)
  try {
    await page.goto(url)
    outcomes[scenario] = await scenarios[scenario](page)
    assert.deepEqual(page.troubles.filter((trouble) => !expected.test(trouble)), [])
  } catch (error) {
    outcomes[scenario] = `${error.message}\n${page.troubles.join('\n')}\n${page.url()}`
  }
}

// A few at once: a page waits most of the time.
const waiting = Object.entries(given.urls)
async function playAll() {
  while (waiting.length) await play(...waiting.shift())
}
await Promise.all([playAll(), playAll(), playAll()])
await browser.close()
servers.forEach((server) => server.close())
console.log(JSON.stringify(outcomes))
process.exit(0)
