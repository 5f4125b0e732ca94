/** Names are bytes: a path with one that need not be text is no text either. */
export type FilePath = string | Buffer;

/** @param path bytes that are one char each */
export function pathIn(root: FilePath, path: string): FilePath {
  if (typeof root === "string" && isAscii(path)) return path === "" ? root : `${root}/${path}`;
  return Buffer.concat([Buffer.from(root as string), Buffer.from(`/${path}`, "latin1")]);
}

/** Whether a name is the same as text and as bytes that are one char each. */
function isAscii(bytes: string): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** Bytes that are one char each, read as UTF-8. */
export function latin1Text(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}
