/** Whose values are encrypted. */
export const SECRETS = "/registry/core/secrets/";
