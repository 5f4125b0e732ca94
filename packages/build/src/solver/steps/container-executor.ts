import { ociUserNamespace, remappedRuntime } from "@boxship/engine";
import {
  buildSpec,
  type ExitStatus,
  type OciSpec,
  type ResolvedUser,
  resolveUser,
  type SpecRequest,
} from "@boxship/runtime";
import type { BuildSession } from "../session.ts";
import { DEFAULT_PATH, envMap } from "../state.ts";
import type { WorkingRoot } from "../working-layer.ts";
import { type CommandExecutor, type CommandParts, type CommandResult, OutputTail } from "./command-executor.ts";
import type { Command } from "./run-command.ts";

/** Commands in containers of the engine's runtime. */
export const containerExecutor: CommandExecutor = {
  ownNetworks: true,
  check: () => {},
  run: (session, root, command, parts) =>
    execute(session, command, specOf(session, root, command, parts), parts.secrets),
};

/** The whole environment of a command. */
export function environmentOf(command: Command, parts: CommandParts, user: ResolvedUser): readonly string[] {
  const env = [...command.env, ...parts.env];
  const has = envMap(env);
  return [
    ...(has.has("PATH") ? [] : [`PATH=${DEFAULT_PATH}`]),
    ...(has.has("HOME") ? [] : [`HOME=${user.home}`]),
    ...env,
  ];
}

function specOf(session: BuildSession, root: WorkingRoot, command: Command, parts: CommandParts): OciSpec {
  const { engine } = session.parts;
  const { request } = session;
  const user = resolveUser(root.path, command.state.config.User ?? "");
  const parent = request.cgroupParent || `/${engine.options.name}`;
  const spec: SpecRequest = {
    args: command.args,
    env: environmentOf(command, parts, user),
    cwd: parts.cwd,
    user,
    hostname: hostnameOf(session, command.id),
    rootfs: root.path,
    mounts: parts.mounts,
    privileged: command.insecure,
    rlimits: (request.ulimits ?? []).map(({ name, soft, hard }) => ({ type: name, soft, hard })),
    ...(request.shmSize === undefined || request.shmSize === 0 ? {} : { shmSize: request.shmSize }),
    namespaces: {
      network: parts.namespace === undefined ? "host" : { path: parts.namespace },
      ...ociUserNamespace(engine.remap, engine.remap?.path),
    },
    ...(request.resources === undefined ? {} : { resources: request.resources }),
    cgroupsPath: `${parent.startsWith("/") ? parent : `/${parent}`}/${command.id}`,
  };
  return buildSpec(spec, engine.runtime.host).spec;
}

async function execute(
  session: BuildSession,
  command: Command,
  spec: OciSpec,
  secrets: readonly Buffer[],
): Promise<CommandResult> {
  const { runtime, remap } = session.parts.engine;
  const { id, vertex } = command;
  await using owned = new AsyncDisposableStack();
  const exited = Promise.withResolvers<ExitStatus>();
  owned.use(runtime.onExit((other, status) => void (other === id && exited.resolve(status))));
  owned.defer(() => runtime.delete(id));
  await runtime.create({
    id,
    spec,
    terminal: false,
    stdin: false,
    ...(remap === undefined ? {} : { runtime: remappedRuntime(session.parts.engine) }),
  });
  const streams = await runtime.attach(id, { stdin: false, stdout: true, stderr: true });
  owned.defer(() => streams.close());
  const output = new OutputTail(session, vertex, secrets);
  const reading = (async () => {
    for await (const { stream, data } of streams.output as AsyncIterable<{
      stream: "stdout" | "stderr";
      data: Buffer;
    }>) {
      await output.push(stream, data);
    }
    await output.end();
  })();
  const onAbort = () => void runtime.kill(id, 9, { all: true }).catch((error: unknown) => exited.reject(error));
  session.signal.addEventListener("abort", onAbort, { once: true });
  owned.defer(() => session.signal.removeEventListener("abort", onAbort));
  session.signal.throwIfAborted();
  await runtime.start(id);
  const [status] = await Promise.all([exited.promise, reading]);
  return { status, output: output.text() };
}

/** As Docker's builders call their containers. */
export function hostnameOf(session: BuildSession, id: string): string {
  return session.request.history === "buildkit" ? "buildkitsandbox" : id.slice(0, 12);
}
