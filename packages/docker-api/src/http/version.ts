/** Minor numbers of the Docker Engine API that is served; its major number is 1. */
export const MINIMUM_VERSION = 24;
export const CURRENT_VERSION = 51;

export const MINIMUM_VERSION_TEXT = `1.${MINIMUM_VERSION}`;
export const CURRENT_VERSION_TEXT = `1.${CURRENT_VERSION}`;

/** What the first segment of a path says about the version. */
export type PathVersion =
  | { readonly kind: "none" }
  | { readonly kind: "ok"; readonly minor: number; readonly rest: string }
  | { readonly kind: "refused"; readonly message: string };

const PREFIX = /^\/v(\d+(?:\.\d+)*)(?=\/|$)/;

/**
 * Takes the `/v1.xx` prefix off a path. A version outside the served range gives the sentence that Docker's clients
 * know, because some of them parse it to negotiate.
 */
export function pathVersion(path: string): PathVersion {
  if (path.charCodeAt(1) !== 118 /* v */) return { kind: "none" };
  const match = PREFIX.exec(path);
  const text = match?.[1];
  if (match === null || text === undefined) return { kind: "none" };
  const [major = Number.NaN, minor = 0] = text.split(".").map(Number);
  if (Number.isNaN(major) || Number.isNaN(minor)) return { kind: "none" };
  if (major > 1 || (major === 1 && minor > CURRENT_VERSION)) {
    return {
      kind: "refused",
      message: `client version ${text} is too new. Maximum supported API version is ${CURRENT_VERSION_TEXT}`,
    };
  }
  if (major < 1 || minor < MINIMUM_VERSION) {
    return {
      kind: "refused",
      message: `client version ${text} is too old. Minimum supported API version is ${MINIMUM_VERSION_TEXT}, please upgrade your client to a newer version`,
    };
  }
  return { kind: "ok", minor, rest: path.slice(match[0].length) || "/" };
}
