/** Numbers in digits of any length: -1, 0 or 1. */
export function compareDigits(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+(?=.)/, ""), b.replace(/^0+(?=.)/, "")];
  if (x.length !== y.length) return x.length < y.length ? -1 : 1;
  return compareText(x, y);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
