/** After signing in one stays in this city. */
import { expect, test } from 'vitest'
import { nextAddress } from '../src/login/next'

const HERE = 'https://city.example'

test.each([
  ['?next=%2Fdesk%23%2Fcase%2F1', '/desk#/case/1'],
  ['', '/'],
  ['?next=https%3A%2F%2Felsewhere.example%2F', '/'],
  ['?next=%2F%2Felsewhere.example', '/'],
  ['?next=javascript%3Aalert(1)', '/'],
  ['?next=%5C%5Celsewhere.example', '/'],
])('%s leads to %s', (search, address) => {
  expect(nextAddress(search, HERE)).toBe(address)
})
