/** One line of output on its way to a log server, or a piece of a long one. */
export interface LogMessage {
  readonly stream: "stdout" | "stderr";
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** As it was printed, without its newline: any bytes, at most {@link LONGEST_MESSAGE} of them. */
  readonly text: Buffer;
  /** The line is sent in pieces, and this is one. */
  readonly partial?: PartialLine;
}

export interface PartialLine {
  /** The same for all pieces of a line. */
  readonly id: string;
  /** Counts from 1. */
  readonly ordinal: number;
  readonly last: boolean;
}

/** Longer lines are sent in pieces of this size, as Docker does. */
export const LONGEST_MESSAGE = 16_384;

/**
 * A connection to a log server. Promises of every implementation:
 * - `send` resolves when the server's acknowledgement has come where its protocol has one; otherwise when the kernel has
 *   taken all of it. Messages arrive in the order they are given.
 * - `send` rejects when the connection does not stand any more. Then some of the messages may have arrived; the caller
 *   opens a new connection and sends all of them again.
 * - It waits as long as the server takes; disposing ends the wait.
 */
export interface LogConnection extends AsyncDisposable {
  /** False once the other side has closed the connection. */
  readonly open: boolean;
  send(messages: readonly LogMessage[]): Promise<void>;
}

/** Connects to a log server. Rejects when that does not work now. */
export type ConnectLog = (signal: AbortSignal) => Promise<LogConnection>;
