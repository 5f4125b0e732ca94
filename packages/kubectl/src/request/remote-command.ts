import type { Readable } from "node:stream";
import { listAt, parseJson, textAt } from "@boxship/api";
import type { WebSocket } from "ws";
import { ConnectionLost, PlainRefusal, Refusal } from "../failure.ts";
import type { Io, Sink } from "../io.ts";

/** The first byte of each message says what it belongs to. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** From the newest on. Before the fifth, nobody could end its input without leaving. */
export const REMOTE_COMMAND_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

export interface RemoteStreams {
  /** What it reads. @default nothing */
  readonly stdin?: Readable | undefined;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** It has this program's terminal. */
  readonly tty: boolean;
}

/**
 * Carries the streams of a command until it has ended.
 *
 * @throws PlainRefusal with the command's status, Refusal where it could not be run
 */
export async function carryStreams(socket: WebSocket, { stdin, stdout, stderr, tty }: RemoteStreams): Promise<void> {
  let status: string | undefined;
  let written: Promise<void> = Promise.resolve();
  const send = (channel: number, data: Uint8Array): Promise<void> =>
    new Promise((resolve) => socket.send(Buffer.concat([Buffer.of(channel), data]), () => resolve()));
  socket.on("message", (message: Buffer) => {
    const data = message.subarray(1);
    if (message[0] === CHANNEL.error) status = data.toString();
    const sink = message[0] === CHANNEL.stdout ? stdout : message[0] === CHANNEL.stderr ? stderr : undefined;
    if (sink === undefined || data.length === 0) return;
    socket.pause();
    written = new Promise((resolve) => {
      sink.write(data, () => {
        socket.resume();
        resolve();
      });
    });
  });
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  const resized = (): void => {
    const { columns: Width, rows: Height } = stdout;
    if (Width !== undefined && Height !== undefined)
      void send(CHANNEL.resize, Buffer.from(JSON.stringify({ Width, Height })));
  };
  const given = (data: Buffer | string): void => {
    stdin?.pause();
    void send(CHANNEL.stdin, Buffer.from(data)).then(() => stdin?.resume());
  };
  const ended = (): void => {
    if (socket.protocol === REMOTE_COMMAND_PROTOCOLS[0]) void send(CHANNEL.close, Buffer.of(CHANNEL.stdin));
  };
  stdin?.on("data", given).once("end", ended);
  if (tty) {
    resized();
    stdout.on?.("resize", resized);
  }
  try {
    await closed;
    await written;
  } finally {
    stdin?.off("data", given).off("end", ended).pause();
    stdout.off?.("resize", resized);
  }
  throwFailure(status);
}

function throwFailure(text: string | undefined): void {
  if (text === undefined) throw new ConnectionLost("the connection was closed before the command ended");
  const status = parseJson(text);
  if (textAt(status, "status") === "Success") return;
  if (textAt(status, "reason") !== "NonZeroExitCode") throw new Refusal(textAt(status, "message"));
  const code = Number(textAt(listAt(status, "details", "causes")[0], "message"));
  throw new PlainRefusal(`command terminated with exit code ${code}`, code);
}

/** Gives a terminal's keys as they are pressed while something runs. */
export async function withRawTerminal(io: Io, raw: boolean, work: () => Promise<void>): Promise<void> {
  using _ = raw ? await io.rawTerminal?.() : undefined;
  await work();
}
