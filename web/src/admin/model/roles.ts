/** Roles as the guard knows them (guard/policy.py), the humblest first. */
export const ACCOUNT_ROLES = [
  'officer',
  'staff',
  'crew',
  'steward',
  'chief',
  'administrator',
  'partner',
  'resident',
] as const

/** A program is never a resident. */
export const TOKEN_ROLES = [
  'partner',
  'device',
  'steward',
  'officer',
  'staff',
  'crew',
  'chief',
  'administrator',
] as const

/** Roles whose work belongs to departments. */
export const DEPARTMENT_ROLES: readonly string[] = ['staff', 'crew']
