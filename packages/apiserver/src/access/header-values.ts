/**
 * What came under a name, each time that it came. Node joins them by commas, which names of groups have in them, too.
 *
 * @param rawHeaders names and values by turns
 * @param name in lower case
 */
export function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? "");
  }
  return values;
}

/**
 * The same of all names that begin alike, by the rest of them. That is percent-encoded; what cannot be decoded stands for
 * itself, as upstream has it.
 */
export function headersBelow(rawHeaders: readonly string[], prefix: string): Record<string, string[]> {
  const found = new Map<string, string[]>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? "";
    if (!name.startsWith(prefix)) continue;
    const key = decoded(name.slice(prefix.length));
    found.set(key, [...(found.get(key) ?? []), rawHeaders[at + 1] ?? ""]);
  }
  return Object.fromEntries(found);
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
