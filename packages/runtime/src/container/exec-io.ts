import { fchownSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Fd,
  listenConsoleSocket,
  makeRaw,
  openPseudoTerminal,
  type PrivateNull,
  pipe,
  readableFrom,
  type SpawnOptions,
  setWindowSize,
  writableTo,
} from "@boxship/kernel";
import type { ExecRequest, TerminalSize } from "../contract.ts";
import type { Context, RuntimeBinary } from "./context.ts";
import { FrameStream } from "./frame-stream.ts";
import type { Layout } from "./layout.ts";

/** Outside of the user namespace. */
export interface StreamOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Our side of a running exec's standard streams. */
export interface ExecStreams {
  readonly stdin: Writable | undefined;
  readonly output: FrameStream;
  /** True when the runtime must be told of a new size by SIGWINCH. */
  resize(size: TerminalSize): boolean;
}

/** The standard streams of an exec before it is known whether the process starts. */
export interface ExecIo {
  /** Further arguments of the runtime's `exec`. */
  readonly args: readonly string[];
  readonly stdio: NonNullable<SpawnOptions["stdio"]>;
  /** The runtime runs: it has its own copies. */
  launched(): void;
  /** The process has started. */
  connect(): Promise<ExecStreams>;
  /** What the runtime said instead of starting the process. Call before {@link ExecIo.dispose}. */
  complaint(): Promise<string>;
  /** The process does not start. */
  dispose(): void;
}

/** @param owner of the process in a user namespace, who must be able to open its streams again by name */
export function openExecIo(
  context: Context,
  request: ExecRequest,
  runtime: RuntimeBinary,
  owner: StreamOwner | undefined,
): ExecIo {
  const { layout } = context;
  if (!request.terminal) return pipeIo(request, runtime.givesDevicesAway ? context.nulls : undefined, owner);
  // runc takes a console socket only when it does not wait for the process, and crun does not pass a size on.
  return runtime.kind === "crun" ? consoleIo(layout, request) : relayIo(request);
}

async function textOf(output: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of output as AsyncIterable<{ readonly data: Buffer }>) chunks.push(chunk.data);
  return Buffer.concat(chunks).toString("utf8");
}

/** @param nulls where null devices come from, if the machine's own would be given away */
function pipeIo(request: ExecRequest, nulls: PrivateNull | undefined, owner: StreamOwner | undefined): ExecIo {
  const stderr = pipe();
  const stdout = request.detach ? undefined : pipe();
  const input = request.stdin && !request.detach ? pipe() : undefined;
  const stdin = input === undefined ? undefined : writableTo(input.writeEnd);
  if (owner !== undefined) {
    for (const end of [input?.readEnd, stdout?.writeEnd, stderr.writeEnd]) {
      if (end !== undefined) fchownSync(end.number, owner.uid, owner.gid);
    }
  }
  const nothing = input !== undefined && stdout !== undefined ? undefined : nulls?.open();
  const output = new FrameStream([
    ...(stdout === undefined ? [] : [{ stream: "stdout" as const, readable: readableFrom(stdout.readEnd) }]),
    { stream: "stderr" as const, readable: readableFrom(stderr.readEnd) },
  ]);
  return {
    args: [],
    stdio: {
      0: input?.readEnd ?? nothing ?? "null",
      1: stdout?.writeEnd ?? nothing ?? "null",
      2: stderr.writeEnd,
    },
    launched: () => {
      for (const fd of [input?.readEnd, stdout?.writeEnd, stderr.writeEnd, nothing]) fd?.close();
    },
    connect: async () => ({ stdin, output, resize: () => false }),
    complaint: () => textOf(output),
    dispose: () => {
      stdin?.destroy();
      output.destroy();
      nothing?.close();
    },
  };
}

/** Streams over a terminal's master, which closes with the output. */
function terminalStreams(master: Fd, request: ExecRequest, tells: boolean): ExecStreams {
  const stdin = request.stdin && !request.detach ? writableTo(master.duplicate()) : undefined;
  const output = new FrameStream([{ stream: "stdout", readable: readableFrom(master.duplicate()) }]);
  void output.released.then(() => {
    stdin?.destroy();
    master.close();
  });
  return {
    stdin,
    output,
    resize: ({ width, height }) => {
      if (!master.closed) setWindowSize(master, { rows: height, columns: width });
      return tells;
    },
  };
}

/**
 * The runtime makes the process's terminal inside the container and copies between it and ours, which is raw so that
 * every byte passes as it is. It follows our terminal's size when told by SIGWINCH.
 */
function relayIo(request: ExecRequest): ExecIo {
  const size = request.process.consoleSize;
  const window = size === undefined ? undefined : { rows: size.height, columns: size.width };
  const { master, slave } = openPseudoTerminal(window);
  makeRaw(slave);
  const streams = terminalStreams(master, request, true);
  return {
    args: ["--tty"],
    stdio: { 0: slave, 1: slave, 2: slave },
    launched: () => slave.close(),
    connect: async () => streams,
    complaint: () => textOf(streams.output),
    dispose: () => void streams.output.destroy(),
  };
}

const LONGEST_SOCKET = 100;
const ARRIVAL_MS = 100;

/** The runtime sends us the master of the terminal that it made. */
function consoleIo(layout: Layout, request: ExecRequest): ExecIo {
  const place = layout.execFile(request.execId, "console");
  const path = place.length <= LONGEST_SOCKET ? place : join(tmpdir(), `boxship-${process.pid}-${Date.now()}.console`);
  const socket = listenConsoleSocket(path);
  const errors = pipe();
  const complaints = new FrameStream([{ stream: "stderr", readable: readableFrom(errors.readEnd) }]);
  return {
    args: ["--tty", `--console-socket=${path}`],
    stdio: { 2: errors.writeEnd },
    launched: () => errors.writeEnd.close(),
    connect: async () => {
      try {
        return terminalStreams(await socket.master, request, false);
      } finally {
        socket[Symbol.dispose]();
        // The runtime may still say something; nobody reads it.
        complaints.resume();
      }
    },
    complaint: async () => {
      const text = await textOf(complaints);
      // The part of the runtime that runs inside the container complains on the new terminal. It was sent before.
      const master = await Promise.race([socket.master, delay(ARRIVAL_MS, undefined)]);
      return master === undefined ? text : text + (await textOf(terminalStreams(master, request, false).output));
    },
    dispose: () => {
      socket[Symbol.dispose]();
      complaints.destroy();
    },
  };
}
