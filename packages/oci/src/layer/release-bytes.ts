/**
 * Frees the memory of a piece that nobody will look at any more, if it has a buffer of its own. Left to V8, gigabytes of
 * pieces are 64 MB of garbage in each thread before it looks for any.
 */
export function releaseBytes({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
