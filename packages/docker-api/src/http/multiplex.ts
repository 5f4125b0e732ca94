/** Docker's multiplexed stream: each frame is one byte for the stream, three zero bytes, the length, and the payload. */
export type StreamName = "stdin" | "stdout" | "stderr";

const NUMBERS: Readonly<Record<StreamName, number>> = { stdin: 0, stdout: 1, stderr: 2 };

export const MULTIPLEXED_TYPE = "application/vnd.docker.multiplexed-stream";
export const RAW_TYPE = "application/vnd.docker.raw-stream";

/** The header of a frame of `length` bytes. */
export function frameHeader(stream: StreamName, length: number): Buffer {
  const header = Buffer.alloc(8);
  header[0] = NUMBERS[stream];
  header.writeUInt32BE(length, 4);
  return header;
}

/** Content type of an output stream; clients before 1.42 know only one. */
export function streamType(tty: boolean, version: number): string {
  return !tty && version >= 42 ? MULTIPLEXED_TYPE : RAW_TYPE;
}
