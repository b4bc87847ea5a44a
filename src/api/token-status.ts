/** The status types of a Token Status List (draft, section 7.1), each at the place of its number. INVALID is final. */
export const tokenStatuses = ['VALID', 'INVALID', 'SUSPENDED'] as const;
export type TokenStatus = (typeof tokenStatuses)[number];
