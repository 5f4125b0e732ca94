import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { AlreadyExists, type BoxshipError, FailedPrecondition, systemCode } from "@boxship/base";
import {
  type IdKind,
  idOutside,
  idRanges,
  namespaceId,
  namespacePath,
  type Process,
  type ExitStatus as ProcessExit,
  SIGKILL,
  signalNumber,
} from "@boxship/kernel";
import type { AttachStreams, ExecHandle, ExecRequest, ExitStatus } from "../contract.ts";
import { serializeOci } from "../spec/serialize.ts";
import { type Context, launch, RUNTIME_ENVIRONMENT, type RuntimeBinary, runtimeOptions } from "./context.ts";
import { type ExecIo, type ExecStreams, openExecIo, type StreamOwner } from "./exec-io.ts";
import type { ExecPids } from "./exec-pids.ts";
import { exitFromCode } from "./exit-watch.ts";
import type { FrameStream } from "./frame-stream.ts";
import { checkId, EXEC_FILES } from "./layout.ts";
import { readPid } from "./record.ts";
import { runtimeError } from "./runtime-error.ts";

/** How long output may go on after the process ended when a child of it holds the pipe. */
const LINGER_MS = 200;
const SIGNAL_BASE = 128;

/**
 * Runs a process in a container by the runtime's own `exec` in the foreground, with our pipes or a terminal of ours as
 * its standard streams. That is one process fewer than conmon's `--exec`, no copying, and the runtime's exit status is
 * the process's. The process belongs to the daemon: what an earlier one left is killed at the next start.
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
  if (pids.expects(execId)) {
    throw new AlreadyExists(`exec ${execId} is running already`, { subject: { kind: "exec", name: execId } });
  }
  const { layout } = context;
  const pidFile = layout.execFile(execId, "pid");
  const forget = () => {
    for (const name of EXEC_FILES) rmSync(layout.execFile(execId, name), { force: true });
    pids.forget(execId);
  };
  forget();
  const started = pids.expect(execId);
  const io = openExecIo(context, request, runtime, streamOwner(context, id, request));
  let child: Process;
  try {
    writeFileSync(layout.execFile(execId, "container"), id, { mode: 0o600 });
    writeFileSync(layout.execFile(execId, "process.json"), serializeOci(request.process), { mode: 0o600 });
    child = launch(context, runtime, {
      file: runtime.path,
      args: execArguments(context, id, request, { runtime, io }),
      env: RUNTIME_ENVIRONMENT,
      stdio: io.stdio,
      setsid: true,
    });
  } catch (error) {
    io.dispose();
    forget();
    throw error;
  } finally {
    io.launched();
  }
  // The process may have ended before its pid file was noticed.
  const ended = child.exited.then(() => readPid(pidFile));
  const exited = ended.then(() => child.exited).finally(forget);
  exited.catch(() => {});
  using _timer = context.clock.setTimeout(context.createTimeout, () => child.kill(SIGKILL));
  const pid = await Promise.race([started, ended]);
  if (pid === undefined) throw await execFailure(id, request, io);
  return handleOf(context, request, { child, exited, pid, streams: await io.connect() });
}

/** Who a process is outside of the container's user namespace, if that is another than ours. */
function streamOwner({ layout }: Context, id: string, { process }: ExecRequest): StreamOwner | undefined {
  const pid = readPid(layout.bundleFile(id, "pid"));
  if (pid === undefined) return undefined;
  try {
    if (namespaceId(namespacePath("user", pid)) === namespaceId(namespacePath("user"))) return undefined;
    const outside = (kind: IdKind, own: number) =>
      idOutside(own, idRanges(kind, readFileSync(`/proc/${pid}/${kind}_map`, "latin1")));
    const [uid, gid] = [outside("uid", process.user.uid), outside("gid", process.user.gid)];
    return uid === undefined || gid === undefined ? undefined : { uid, gid };
  } catch (error) {
    // The container has just ended, which the runtime will say.
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ESRCH") return undefined;
    throw error;
  }
}

function execArguments(
  { layout }: Context,
  id: string,
  { execId }: ExecRequest,
  { runtime, io }: { readonly runtime: RuntimeBinary; readonly io: ExecIo },
): readonly string[] {
  return [
    ...runtimeOptions(runtime, layout.stateRoot(runtime.name)),
    "exec",
    `--process=${layout.execFile(execId, "process.json")}`,
    `--pid-file=${layout.execFile(execId, "pid")}`,
    ...io.args,
    id,
  ];
}

async function execFailure(id: string, request: ExecRequest, io: ExecIo): Promise<BoxshipError> {
  const output = await io.complaint();
  io.dispose();
  const command = request.process.args[0] ?? "";
  if (/container .*(?:not running|does not exist|stopped)|is not running/i.test(output)) {
    return new FailedPrecondition(`container ${id} is not running`, { subject: { kind: "container", name: id } });
  }
  return runtimeError({ what: `execute ${command} in container ${id}`, command, output });
}

interface Running {
  readonly child: Process;
  readonly exited: Promise<ProcessExit>;
  readonly pid: number;
  readonly streams: ExecStreams;
}

function handleOf(context: Context, request: ExecRequest, { child, exited, pid, streams }: Running): ExecHandle {
  const status = exited.then(
    (exit): ExitStatus => ({ ...exitFromCode(exitCode(exit), new Date(context.clock.now())), oomKilled: false }),
    (error: unknown): ExitStatus => {
      context.logger.error("cannot watch an exec", { exec: request.execId, error });
      return { code: 255, finishedAt: new Date(context.clock.now()), oomKilled: false };
    },
  );
  void endAfter(context, status, streams.output);
  // A detached process's output goes nowhere, but must not fill the pipe either.
  if (request.detach) streams.output.resume();
  return {
    pid,
    ...(request.detach ? {} : { streams: attachStreams(streams) }),
    exited: status,
    resize: (size) => {
      if (streams.resize(size)) child.kill(signalNumber("SIGWINCH"));
    },
  };
}

function exitCode(exit: ProcessExit): number {
  return exit.signal === undefined ? exit.code : SIGNAL_BASE + signalNumber(exit.signal);
}

function attachStreams({ stdin, output }: ExecStreams): AttachStreams {
  // Nobody may listen for a broken pipe: the process closed its input, which is its right.
  stdin?.on("error", () => {});
  return {
    ...(stdin === undefined ? {} : { stdin }),
    output,
    close: () => {
      stdin?.destroy();
      output.finish();
    },
  };
}

/** Ends the output of a process that is gone once nothing comes any more, although somebody may still hold the pipe. */
async function endAfter({ clock }: Context, exited: Promise<ExitStatus>, output: FrameStream): Promise<void> {
  await exited;
  const look = (before: number): void => {
    if (output.destroyed || output.readableEnded) return;
    const { frames, paused } = output.progress;
    if (!paused && frames === before) output.finish();
    else clock.setTimeout(LINGER_MS, () => look(frames));
  };
  clock.setTimeout(LINGER_MS, () => look(output.progress.frames));
}
