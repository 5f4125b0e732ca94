/** What a header's name says after its prefix, percent-encoded; what cannot be decoded stands for itself, as upstream has it. */
export function extraKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
