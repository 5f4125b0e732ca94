/** Version of the program. */
export const VERSION = "0.1.0";

/** The newest version of the Engine API that the program knows. */
export const API_VERSION = "1.51";

/** Go's word for this machine's architecture. */
export function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

export function versionLine(): string {
  return `Boxship version ${VERSION}`;
}
