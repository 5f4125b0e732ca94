import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { asBoxshipError, FailedPrecondition, InvalidArgument } from "@boxship/base";
import { type Engine, isAlive, StartFailed, type StreamSession, type TerminalSize } from "@boxship/engine";
import { ofPod } from "../containers.ts";
import type { CriHandlers } from "../contract.ts";
import { killExec } from "../exec.ts";
import type { AttachRequest, ExecRequest } from "../messages/calls.ts";
import { type Channels, webSocketChannels } from "./channels.ts";
import { spdyChannels, type WantedStreams } from "./spdy-channels.ts";
import type { StreamingServer } from "./streaming-server.ts";

/** Commands in containers, and containers' own streams, for clients that connect to where the answer says. */
export function remoteCommandHandlers(
  engine: Engine,
  streaming: StreamingServer,
): Pick<CriHandlers, "attach" | "exec"> {
  const requireRunning = (ref: string): string => {
    const { id, state } = ofPod(engine, ref);
    if (!isAlive(state)) throw new FailedPrecondition(`container ${id} is not running`);
    return id;
  };
  return {
    async exec(request) {
      const containerId = requireRunning(request.containerId);
      if (request.cmd.length === 0) throw new InvalidArgument("the command is missing");
      checkStreams(request);
      const url = await streaming.place("exec", async (...connection) =>
        runCommand(engine, { ...request, containerId }, await accept(request, ...connection)),
      );
      return { url };
    },
    async attach(request) {
      const containerId = requireRunning(request.containerId);
      checkStreams(request);
      const url = await streaming.place("attach", async (...connection) =>
        attach(engine, { ...request, containerId }, await accept(request, ...connection)),
      );
      return { url };
    },
  };
}

function checkStreams({ tty, stdin, stdout, stderr }: Pick<ExecRequest, "tty" | "stdin" | "stdout" | "stderr">): void {
  if (tty && stderr) throw new InvalidArgument("tty and stderr cannot both be set");
  if (!stdin && !stdout && !stderr) throw new InvalidArgument("one of stdin, stdout and stderr must be set");
}

function accept(wanted: WantedStreams, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Channels> {
  const upgrade = (request.headers.upgrade ?? "").toLowerCase();
  if (upgrade === "websocket") return webSocketChannels(request, socket, head);
  if (upgrade === "spdy/3.1") return spdyChannels(request, socket, head, wanted);
  throw new InvalidArgument(`unable to upgrade: ${upgrade} is not supported`);
}

async function runCommand(engine: Engine, request: ExecRequest, channels: Channels): Promise<void> {
  const { containerId, cmd, tty, stdin, stdout, stderr } = request;
  const { execs } = engine;
  try {
    const config = { cmd, tty, attachStdin: stdin, attachStdout: stdout, attachStderr: stderr };
    const exec = await execs.create(containerId, config);
    const session = await execs.start(exec, { tty });
    whenGone(channels, () => void killExec(engine, exec, session));
    await pump(session, channels, (size) => execs.resize(exec, size));
    await channels.finish(exited((await execs.get(exec)).exitCode ?? 255));
  } catch (error) {
    await fail(channels, error);
  }
}

async function attach(engine: Engine, request: AttachRequest, channels: Channels): Promise<void> {
  const { containerId, stdin, stdout, stderr } = request;
  const { containers } = engine;
  try {
    const session = await containers.attach(containerId, { stdin, stdout, stderr, logs: false, stream: true });
    whenGone(channels, () => session.close());
    await pump(session, channels, (size) => containers.resize(containerId, size));
    await channels.finish(SUCCESS);
  } catch (error) {
    await fail(channels, error);
  }
}

/** Also for a client that left while the command was being started. */
function whenGone({ gone }: Channels, release: () => void): void {
  if (gone.aborted) release();
  else gone.addEventListener("abort", release, { once: true });
}

/** Until the process has closed its output. */
async function pump(
  session: StreamSession,
  channels: Channels,
  resize: (size: TerminalSize) => Promise<void>,
): Promise<void> {
  // A size for what has ended is nobody's any more.
  channels.onResize((size) => void resize(size).catch(() => {}));
  if (session.stdin !== undefined) {
    session.stdin.on("error", () => {});
    channels.stdin.pipe(session.stdin);
  } else channels.stdin.resume();
  for await (const { stream, data } of session.output) await channels.write(stream, data);
}

const SUCCESS = { metadata: {}, status: "Success" };

function exited(code: number): object {
  if (code === 0) return SUCCESS;
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

/** What could not be started is told as a shell would. */
async function fail(channels: Channels, error: unknown): Promise<void> {
  const { message } = asBoxshipError(error);
  if (error instanceof StartFailed) {
    await channels.write("stderr", Buffer.from(`${message}\n`));
    await channels.finish(exited(error.exitCode));
    return;
  }
  await channels.finish({ metadata: {}, status: "Failure", message, reason: "InternalError", code: 500 });
}
