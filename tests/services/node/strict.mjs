// A strict OAuth client, by oauth4webapi: every answer of the server at argv[2] is held to its RFC.
// Prints the URL to be opened by a person's browser and reads the URL that the browser was sent to.
// argv[3] is the access token's audience; with argv[4], "resource", it is asked for its metadata too.
import { strict as assert } from 'node:assert'
import { createInterface } from 'node:readline/promises'
import * as oauth from 'oauth4webapi'

const [issuer, resource, discoverResource] = process.argv.slice(2)
const insecure = { [oauth.allowInsecureRequests]: issuer.startsWith('http://') }
const redirectUri = 'http://127.0.0.1:49152/callback'
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function protectedResource() {
  const response = await oauth.resourceDiscoveryRequest(new URL(resource), insecure)
  const metadata = await oauth.processResourceDiscoveryResponse(new URL(resource), response)
  assert.deepEqual(metadata.authorization_servers, [issuer])
  console.error('RFC 9728 protected resource metadata')
}

async function server() {
  const response = await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure })
  const metadata = await oauth.processDiscoveryResponse(new URL(issuer), response)
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
  assert.equal(metadata.authorization_response_iss_parameter_supported, true)
  console.error('RFC 8414 metadata')
  return metadata
}

async function register(as) {
  const metadata = { client_name: 'strict', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }
  const response = await oauth.dynamicClientRegistrationRequest(as, metadata, insecure)
  const client = await oauth.processDynamicClientRegistrationResponse(response)
  assert.equal(client.client_secret, undefined)
  console.error('RFC 7591 registration')
  return client
}

async function authorize(as, client, state, verifier) {
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    response_type: 'code', client_id: client.client_id, redirect_uri: redirectUri, state, resource,
    scope: 'vault:read', code_challenge_method: 'S256', code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  })
  console.log(url.href)
  return new URL((await lines.next()).value)
}

async function refused(promise, error) {
  await assert.rejects(promise, (caught) => caught instanceof oauth.ResponseBodyError && caught.error === error)
}

async function refresh(as, client, token) {
  const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), token, {
    additionalParameters: { resource }, ...insecure,
  })
  return oauth.processRefreshTokenResponse(as, client, response)
}

async function verify(as, accessToken) {
  const request = new Request(resource, { headers: { authorization: `Bearer ${accessToken}` } })
  const claims = await oauth.validateJwtAccessToken(as, request, resource, insecure)
  assert.equal(claims.scope, 'vault:read')
}

if (discoverResource) await protectedResource()
const as = await server()
const client = await register(as)

const denied = await authorize(as, client, 'denied', oauth.generateRandomCodeVerifier())
assert.throws(
  () => oauth.validateAuthResponse(as, client, denied, 'denied'),
  (caught) => caught instanceof oauth.AuthorizationResponseError && caught.error === 'access_denied',
)
console.error('RFC 9207 issuer in a denial')

const state = oauth.generateRandomState()
const verifier = oauth.generateRandomCodeVerifier()
const callback = await authorize(as, client, state, verifier)
const parameters = oauth.validateAuthResponse(as, client, callback, state)
console.error('RFC 9207 issuer in an answer')

async function redeem(codeVerifier) {
  const response = await oauth.authorizationCodeGrantRequest(
    as, client, oauth.None(), parameters, redirectUri, codeVerifier, { additionalParameters: { resource }, ...insecure },
  )
  return oauth.processAuthorizationCodeResponse(as, client, response)
}
await refused(redeem(oauth.generateRandomCodeVerifier()), 'invalid_grant')
const first = await redeem(verifier)
await verify(as, first.access_token)
console.error('RFC 6749 code, RFC 7636 verifier, RFC 9068 access token')

const second = await refresh(as, client, first.refresh_token)
await verify(as, second.access_token)
await refused(refresh(as, client, first.refresh_token), 'invalid_grant')
await refused(refresh(as, client, second.refresh_token), 'invalid_grant')
console.error('RFC 6749 refresh, rotation and replay')

const lastVerifier = oauth.generateRandomCodeVerifier()
const lastCallback = await authorize(as, client, state, lastVerifier)
const lastParameters = oauth.validateAuthResponse(as, client, lastCallback, state)
const response = await oauth.authorizationCodeGrantRequest(
  as, client, oauth.None(), lastParameters, redirectUri, lastVerifier, insecure,
)
const last = await oauth.processAuthorizationCodeResponse(as, client, response)
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, oauth.None(), last.refresh_token, insecure),
)
await refused(refresh(as, client, last.refresh_token), 'invalid_grant')
console.error('RFC 7009 revocation')
process.exit(0)
