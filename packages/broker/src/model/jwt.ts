/** Algorithms that a token may be signed with. Symmetric ones are none of them: whoever checks such a token could make it. */
export const jwtAlgorithms = ["EdDSA", "ES256", "RS256"] as const;
export type JwtAlgorithm = (typeof jwtAlgorithms)[number];
