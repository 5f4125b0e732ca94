import type { ExecView } from "@boxship/engine";
import { defineRoute, ok } from "../../http/route.ts";

export const execInspect = defineRoute({
  method: "GET",
  path: "/exec/{id}/json",
  doc: { state: "works" },
  handle: async (call) => ok(encodeExec(await call.engine.execs.get(call.param("id")))),
});

function encodeExec({ id, containerId, config, running, exitCode, pid }: ExecView): Record<string, unknown> {
  const [entrypoint = "", ...args] = config.cmd;
  return {
    ID: id,
    Running: running,
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: config.tty === true,
      entrypoint,
      arguments: args,
      privileged: config.privileged === true,
      ...(config.user === undefined ? {} : { user: config.user }),
    },
    OpenStdin: config.attachStdin === true,
    OpenStderr: config.attachStderr === true,
    OpenStdout: config.attachStdout === true,
    CanRemove: !running && exitCode !== undefined,
    ContainerID: containerId,
    DetachKeys: Buffer.from(config.detachKeys ?? "").toString("base64"),
    Pid: pid,
  };
}
