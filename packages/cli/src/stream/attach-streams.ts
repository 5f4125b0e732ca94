import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { Hijacked } from "../api-client/client.ts";
import type { Context } from "../context.ts";
import { demultiplex } from "./demultiplex.ts";
import { DetachWatcher } from "./detach-keys.ts";
import { rawTerminal } from "./raw-terminal.ts";
import { writeAll } from "./write-all.ts";

export interface AttachStreams {
  /** The container has a terminal: its output is one raw stream, and the detach keys count. */
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: readonly number[];
}

/** How an attachment ended: the container's output did, or the user typed the detach keys. */
export type AttachEnd = "ended" | "detached";

/** Passes typed bytes on. Its end closes the container's input, but not its output. */
class InputPump implements Disposable {
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #watcher: DetachWatcher | undefined;
  readonly detached: Promise<void>;
  #detach: () => void = () => {};

  constructor(context: Context, socket: Socket, detachKeys: readonly number[] | undefined) {
    this.#context = context;
    this.#socket = socket;
    this.#watcher = detachKeys === undefined ? undefined : new DetachWatcher(detachKeys);
    this.detached = new Promise((resolve) => (this.#detach = resolve));
    context.stdin.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onEnd);
    socket.on("drain", this.#onDrain);
  }

  [Symbol.dispose](): void {
    const { stdin } = this.#context;
    stdin.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onEnd);
    stdin.pause();
    this.#socket.off("drain", this.#onDrain);
  }

  readonly #onData = (chunk: Buffer): void => {
    const { data, detached } = this.#watcher?.push(chunk) ?? { data: chunk, detached: false };
    if (data.length > 0 && !this.#socket.write(data)) this.#context.stdin.pause();
    if (detached) this.#detach();
  };

  readonly #onDrain = (): void => void this.#context.stdin.resume();

  readonly #onEnd = (): void => void this.#socket.end();
}

async function copyRaw(socket: Socket, output: Writable | undefined, head: Buffer): Promise<void> {
  if (output !== undefined && head.length > 0) await writeAll(output, head);
  for await (const chunk of socket) if (output !== undefined) await writeAll(output, chunk as Buffer);
}

/**
 * Connects the user's streams with a container's until its output ends or the user detaches. Owns the connection and
 * the terminal's mode: both are given back in every case.
 */
export async function attachStreams(context: Context, hijacked: Hijacked, streams: AttachStreams): Promise<AttachEnd> {
  const { socket, head } = hijacked;
  using terminal = await rawTerminal(context, streams.tty && streams.stdin);
  using pump = streams.stdin ? new InputPump(context, socket, streams.tty ? streams.detachKeys : undefined) : undefined;
  if (!streams.stdin) socket.end();
  const places = {
    stdout: streams.stdout ? context.stdout : undefined,
    stderr: streams.stderr ? context.stderr : undefined,
  };
  const output = streams.tty
    ? copyRaw(socket, places.stdout ?? places.stderr, head)
    : demultiplex(socket, places, head);
  const ended = output.then(
    () => "ended" as const,
    (error: unknown) => {
      if (isCut(error)) return "ended" as const;
      throw error;
    },
  );
  const detached = pump?.detached.then(() => "detached" as const);
  const end = await Promise.race(detached === undefined ? [ended] : [ended, detached]);
  terminal[Symbol.dispose]();
  if (end === "detached") ended.catch(() => {});
  socket.destroy();
  return end;
}

/** The engine closed the connection without ceremony, as it does when the container is gone. */
function isCut(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE";
}
