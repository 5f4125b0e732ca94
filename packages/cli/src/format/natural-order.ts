/** Compares texts so that numbers in them count as numbers: `web2` before `web10`. */
export function naturalCompare(a: string, b: string): number {
  const left = a.match(/\d+|\D/gu) ?? [];
  const right = b.match(/\d+|\D/gu) ?? [];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const one = left[at] ?? "";
    const other = right[at] ?? "";
    if (one === other) continue;
    if (!/\d/.test(one) || !/\d/.test(other)) return one < other ? -1 : 1;
    const difference = BigInt(one) - BigInt(other);
    if (difference !== 0n) return difference < 0n ? -1 : 1;
    return one.length - other.length;
  }
  return left.length - right.length;
}
