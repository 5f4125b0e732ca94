import { buildSpec, type ExecHandle, type OciProcess, resolveUser, StartError } from "@boxship/runtime";
import { mergeEnv } from "../container/effective-config.ts";
import { linkEnvironment } from "../container/link-environment.ts";
import { linkedContainers } from "../container/linked-containers.ts";
import type { ContainerRecord } from "../container/record.ts";
import { cgroupPath, rightsOf } from "../container/start-spec.ts";
import { isAlive } from "../container/state.ts";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { OutputFrame, StreamSession } from "../engine-api.ts";
import { ExecUsed, StartFailed } from "../errors.ts";
import { withDetachKeys } from "../stream/detachable.ts";
import { requireRunning } from "./exec-create.ts";
import type { Exec } from "./exec-table.ts";

export interface ExecStartOptions {
  readonly consoleSize?: readonly [height: number, width: number];
}

/** Starts a prepared exec and joins the caller to its streams. */
export async function startExec(
  context: EngineContext,
  id: string,
  options: ExecStartOptions = {},
): Promise<StreamSession> {
  const exec = context.execs.get(id);
  const handle = await launchExec(context, exec, options, false);
  const tty = exec.config.tty === true;
  const { streams } = handle;
  if (streams === undefined) return { tty, output: noOutput(), close: () => {} };
  const session: StreamSession = {
    tty,
    ...(streams.stdin === undefined ? {} : { stdin: streams.stdin }),
    // The caller hears of the end only after the exit code can be asked for.
    output: untilExit(streams.output, handle),
    close: () => streams.close(),
  };
  return withDetachKeys(session, exec.config.detachKeys, () => {
    const record = context.containers.get(exec.containerId);
    if (record === undefined) return;
    context.events.publish("container", "exec_detach", record.id, { ...eventAttributes(record), execID: id });
  });
}

/** Starts a prepared exec that nobody listens to. */
export async function startExecDetached(context: EngineContext, id: string): Promise<void> {
  await launchExec(context, context.execs.get(id), {}, true);
}

async function* untilExit(output: AsyncIterable<OutputFrame>, handle: ExecHandle): AsyncGenerator<OutputFrame> {
  yield* output;
  await handle.exited;
}

async function* noOutput(): AsyncGenerator<OutputFrame> {}

async function launchExec(
  context: EngineContext,
  exec: Exec,
  options: ExecStartOptions,
  detach: boolean,
): Promise<ExecHandle> {
  if (exec.state.status !== "created") {
    throw new ExecUsed(exec.id, exec.state.status === "exited");
  }
  const record = context.containers.resolve(exec.containerId);
  requireRunning(record);
  exec.state = { status: "starting" };
  let handle: ExecHandle;
  try {
    handle = await context.runtime.exec(record.id, {
      execId: exec.id,
      process: execProcess(context, record, exec, options),
      terminal: exec.config.tty === true,
      stdin: exec.config.attachStdin === true,
      detach,
    });
  } catch (error) {
    const exitCode = error instanceof StartError ? error.exitCode : 126;
    exec.state = { status: "exited", exitCode, pid: 0 };
    context.execs.finished(exec);
    context.live.get(record.id)?.execIds.delete(exec.id);
    throw error instanceof StartError ? new StartFailed(error.message, exitCode, { cause: error }) : error;
  }
  exec.state = { status: "running", handle };
  context.events.publish("container", `exec_start: ${exec.config.cmd.join(" ")}`, record.id, {
    ...eventAttributes(record),
    execID: exec.id,
  });
  void watchExit(context, record, exec, handle);
  return handle;
}

async function watchExit(
  context: EngineContext,
  record: ContainerRecord,
  exec: Exec,
  handle: ExecHandle,
): Promise<void> {
  const { code } = await handle.exited;
  exec.state = { status: "exited", exitCode: code, pid: handle.pid };
  context.execs.finished(exec);
  context.live.get(record.id)?.execIds.delete(exec.id);
  context.events.publish("container", "exec_die", record.id, {
    ...eventAttributes(record),
    execID: exec.id,
    exitCode: String(code),
  });
}

/** The OCI process of an exec: the container's rights and environment, with what the exec changes. */
function execProcess(
  context: EngineContext,
  record: ContainerRecord,
  exec: Exec,
  options: ExecStartOptions,
): OciProcess {
  const { config } = exec;
  const { effective, hostConfig } = record;
  const rootfs = isAlive(record.state) ? `/proc/${record.state.pid}/root` : "/";
  const ownUser = config.user !== undefined && config.user !== "";
  const user = ownUser
    ? resolveUser(rootfs, config.user)
    : resolveUser(rootfs, effective.user, hostConfig.groupAdd ?? [], hostConfig.imageGroups);
  const size = options.consoleSize ?? config.consoleSize;
  const rights = rightsOf(hostConfig);
  const { spec } = buildSpec(
    {
      ...rights,
      privileged: rights.privileged === true || config.privileged === true,
      args: config.cmd,
      env: execEnvironment(record, exec, {
        home: user.home,
        links: linkEnvironment(record, linkedContainers(context, record)),
      }),
      cwd: config.workingDir || effective.workingDir || "/",
      user,
      rootfs,
      terminal: config.tty === true,
      cgroupsPath: cgroupPath(context, record),
      ...(size === undefined || size[0] === 0 ? {} : { consoleSize: { height: size[0], width: size[1] } }),
    },
    context.runtime.host,
  );
  return spec.process;
}

function execEnvironment(
  { effective }: ContainerRecord,
  { config }: Exec,
  { home, links }: { readonly home: string; readonly links: readonly string[] },
): readonly string[] {
  const own = config.env ?? [];
  const has = (key: string) => [...effective.env, ...own].some((entry) => entry.startsWith(`${key}=`));
  return [
    ...links.filter((entry) => !has(entry.split("=", 1)[0] ?? "")),
    ...(has("HOSTNAME") ? [] : [`HOSTNAME=${effective.hostname}`]),
    ...mergeEnv(effective.env, own),
    ...(config.tty === true && !has("TERM") ? ["TERM=xterm"] : []),
    ...(has("HOME") ? [] : [`HOME=${home}`]),
  ];
}
