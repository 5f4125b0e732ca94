import { rmSync, writeFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { AlreadyExists, type BoxshipError, FailedPrecondition } from "@boxship/base";
import {
  type Fd,
  makeRaw,
  openPseudoTerminal,
  type Process,
  type ExitStatus as ProcessExit,
  pipe,
  readableFrom,
  type SpawnOptions,
  setWindowSize,
  signalNumber,
  writableTo,
} from "@boxship/kernel";
import type { AttachStreams, ExecHandle, ExecRequest, ExitStatus, TerminalSize } from "../contract.ts";
import { serializeOci } from "../spec/serialize.ts";
import { type Context, launch, RUNTIME_ENVIRONMENT, type RuntimeBinary } from "./context.ts";
import type { ExecPids } from "./exec-pids.ts";
import { exitFromCode } from "./exit-watch.ts";
import { FrameStream } from "./frame-stream.ts";
import { checkId } from "./layout.ts";
import { readPid } from "./record.ts";
import { runtimeError } from "./runtime-error.ts";

/** How long output may go on after the process ended when a child of it holds the pipe. */
const LINGER_MS = 200;
const SIGNAL_BASE = 128;
const EXEC_FILES = ["pid", "process.json", "container"] as const;

/**
 * Runs a process in a container by the runtime's own `exec` in the foreground, with our pipes or our terminal as its
 * standard streams. That is one process fewer than conmon's `--exec`, no copying, and the runtime's exit status is the
 * process's. The process belongs to the daemon: what an earlier one left is killed at the next start.
 */
export async function execInContainer(
  context: Context,
  id: string,
  request: ExecRequest,
  runtime: RuntimeBinary,
  pids: ExecPids,
): Promise<ExecHandle> {
  const { execId } = request;
  checkId("exec", execId);
  const { layout } = context;
  const pidFile = layout.execFile(execId, "pid");
  const processFile = layout.execFile(execId, "process.json");
  if (pids.expects(execId)) {
    throw new AlreadyExists(`exec ${execId} is running already`, { subject: { kind: "exec", name: execId } });
  }
  const forget = () => {
    for (const name of EXEC_FILES) rmSync(layout.execFile(execId, name), { force: true });
    pids.forget(execId);
  };
  const started = pids.expect(execId);
  const io = request.terminal ? terminalIo(request) : pipeIo(request);
  let child: Process;
  try {
    rmSync(pidFile, { force: true });
    writeFileSync(layout.execFile(execId, "container"), id, { mode: 0o600 });
    writeFileSync(processFile, serializeOci(request.process), { mode: 0o600 });
    child = launch(context, runtime, {
      file: runtime.path,
      args: [
        `--root=${layout.stateRoot(runtime.name)}`,
        "exec",
        `--process=${processFile}`,
        `--pid-file=${pidFile}`,
        ...(request.terminal ? ["--tty"] : []),
        id,
      ],
      env: RUNTIME_ENVIRONMENT,
      stdio: io.stdio,
      setsid: true,
    });
  } catch (error) {
    io.dispose();
    forget();
    throw error;
  } finally {
    io.started();
  }
  // The process may have ended before its pid file was noticed.
  const ended = child.exited.then(() => readPid(pidFile));
  const exited = ended.then(() => child.exited).finally(forget);
  exited.catch(() => {});
  const pid = await Promise.race([started, ended]);
  if (pid === undefined) throw await execFailure(context, id, request, io);
  return handleOf(context, request, { child, exited, pid, io });
}

async function execFailure(context: Context, id: string, request: ExecRequest, io: ExecIo): Promise<BoxshipError> {
  const output = await io.complaint();
  io.dispose();
  const what = `execute ${request.process.args[0] ?? ""} in container ${id}`;
  if (/container .*(?:not running|does not exist|stopped)|is not running/i.test(output)) {
    return new FailedPrecondition(`container ${id} is not running`, { subject: { kind: "container", name: id } });
  }
  context.logger.debug("exec failed", { container: id, output });
  return runtimeError({ what, command: request.process.args[0] ?? "", output });
}

interface Running {
  readonly child: Process;
  readonly exited: Promise<ProcessExit>;
  readonly pid: number;
  readonly io: ExecIo;
}

function handleOf(context: Context, request: ExecRequest, { child, exited, pid, io }: Running): ExecHandle {
  const status = exited.then(
    (exit): ExitStatus => ({ ...exitFromCode(exitCode(exit), new Date(context.clock.now())), oomKilled: false }),
    (error: unknown): ExitStatus => {
      context.logger.error("cannot watch an exec", { exec: request.execId, error });
      return { code: 255, finishedAt: new Date(context.clock.now()), oomKilled: false };
    },
  );
  void endAfter(context, status, io.output);
  // A detached process's output goes nowhere, but must not fill the pipe either.
  if (request.detach) io.output.resume();
  return {
    pid,
    ...(request.detach ? {} : { streams: streamsOf(io) }),
    exited: status,
    resize: (size) => {
      io.resize(size);
      child.kill(signalNumber("SIGWINCH"));
    },
  };
}

function exitCode(exit: ProcessExit): number {
  return exit.signal === undefined ? exit.code : SIGNAL_BASE + signalNumber(exit.signal);
}

function streamsOf(io: ExecIo): AttachStreams {
  // Nobody may listen for a broken pipe: the process closed its input, which is its right.
  io.stdin?.on("error", () => {});
  return {
    ...(io.stdin === undefined ? {} : { stdin: io.stdin }),
    output: io.output,
    close: () => io.dispose(),
  };
}

/** Ends the output of a process that is gone once nothing comes any more, although somebody may still hold the pipe. */
async function endAfter(context: Context, exited: Promise<ExitStatus>, output: FrameStream): Promise<void> {
  await exited;
  const look = (before: number): void => {
    if (output.destroyed || output.readableEnded) return;
    const { frames, paused } = output.progress;
    if (!paused && frames === before) output.finish();
    else context.clock.setTimeout(LINGER_MS, () => look(frames));
  };
  context.clock.setTimeout(LINGER_MS, () => look(output.progress.frames));
}

/** The standard streams of an exec: the runtime's side and ours. */
interface ExecIo {
  readonly stdio: NonNullable<SpawnOptions["stdio"]>;
  readonly stdin: Writable | undefined;
  readonly output: FrameStream;
  /** The runtime has its own copies now. */
  started(): void;
  resize(size: TerminalSize): void;
  /** What the runtime said instead of starting the process. */
  complaint(): Promise<string>;
  dispose(): void;
}

async function textOf(readable: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readable as AsyncIterable<{ readonly data: Buffer }>) chunks.push(chunk.data);
  return Buffer.concat(chunks).toString("utf8");
}

function pipeIo(request: ExecRequest): ExecIo {
  const ours: Fd[] = [];
  const theirs: Fd[] = [];
  const outward = () => {
    const { readEnd, writeEnd } = pipe();
    theirs.push(writeEnd);
    ours.push(readEnd);
    return { readEnd, writeEnd };
  };
  const stderr = outward();
  const stdout = request.detach ? undefined : outward();
  const input = request.stdin && !request.detach ? pipe() : undefined;
  if (input !== undefined) theirs.push(input.readEnd);
  const stdin = input === undefined ? undefined : writableTo(input.writeEnd);
  const output = new FrameStream([
    ...(stdout === undefined ? [] : [{ stream: "stdout" as const, readable: readableFrom(stdout.readEnd) }]),
    { stream: "stderr" as const, readable: readableFrom(stderr.readEnd) },
  ]);
  return {
    stdio: {
      0: input?.readEnd ?? "null",
      1: stdout?.writeEnd ?? "null",
      2: stderr.writeEnd,
    },
    stdin,
    output,
    started: () => {
      for (const fd of theirs) fd.close();
    },
    resize: () => {},
    complaint: () => textOf(output),
    dispose: () => {
      stdin?.destroy();
      output.destroy();
    },
  };
}

/**
 * The runtime makes the process's terminal inside the container and copies between it and ours, which is raw so that
 * every byte passes as it is. It follows our terminal's size when told by SIGWINCH.
 */
function terminalIo(request: ExecRequest): ExecIo {
  const size = request.process.consoleSize;
  const { master, slave } = openPseudoTerminal(
    size === undefined ? undefined : { rows: size.height, columns: size.width },
  );
  makeRaw(slave);
  const stream = readableFrom(master.duplicate());
  const stdin = request.stdin && !request.detach ? writableTo(master.duplicate()) : undefined;
  const output = new FrameStream([{ stream: "stdout", readable: stream }]);
  output.on("close", () => master.close());
  return {
    stdio: { 0: slave, 1: slave, 2: slave },
    stdin,
    output,
    started: () => slave.close(),
    resize: ({ width, height }) => {
      if (!master.closed) setWindowSize(master, { rows: height, columns: width });
    },
    complaint: () => textOf(output),
    dispose: () => {
      stdin?.destroy();
      output.destroy();
    },
  };
}
