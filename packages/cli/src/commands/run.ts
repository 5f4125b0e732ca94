import { defineCommand } from "../command.ts";
import { buildContainer, type ContainerBody } from "../container-options/build-container.ts";
import { containerFlags } from "../container-options/container-flags.ts";
import { checkPullPolicy, createContainer } from "../container-options/create-container.ts";
import { withHelp, withStartStatus } from "../container-options/status.ts";
import { type Context, print } from "../context.ts";
import { Exit, Failure } from "../failure.ts";
import { bool, type FlagValues, text } from "../flags/flag.ts";
import { attachStreams } from "../stream/attach-streams.ts";
import { checkTerminal } from "../stream/check-terminal.ts";
import { detachKeysOrDefault } from "../stream/detach-keys.ts";
import { forwardSignals, type SignalForwarder } from "../stream/forward-signals.ts";
import { followTerminalSize } from "../stream/terminal-size.ts";
import { beginWait } from "../stream/wait-exit.ts";

const flags = {
  ...containerFlags,
  detach: bool("Run container in background and print container ID", { short: "d" }),
  "detach-keys": text("Override the key sequence for detaching a container"),
  "sig-proxy": bool("Proxy received signals to the process", { initial: true }),
};

type RunFlags = FlagValues<typeof flags>;

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  flags,
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "image",
  async run(context, { flags: given, changed, operands, path }) {
    const [image = "", ...args] = operands;
    const body = await withHelp(path, async () => {
      checkPullPolicy(given.pull);
      return buildContainer(context, { flags: given, changed, image, args });
    });
    if (given.detach) detachBody(given, body);
    else checkTerminal(context, body.AttachStdin, body.Tty);
    const id = await withStartStatus(path, () => createContainer(context, body, given));
    using signals = given["sig-proxy"] ? forwardSignals(context, id) : undefined;
    if (body.AttachStdin || body.AttachStdout || body.AttachStderr) {
      await runAttached(context, { id, body, given, path, signals });
      return;
    }
    await withStartStatus(path, () => context.api.call("POST", `/containers/${id}/start`));
    print(context, id);
  },
});

/** A detached container is attached to nothing. */
function detachBody(given: RunFlags, body: ContainerBody): void {
  if (given.attach.length > 0) throw new Failure("conflicting options: cannot specify both --attach and --detach");
  body.AttachStdin = false;
  body.AttachStdout = false;
  body.AttachStderr = false;
  body.StdinOnce = false;
}

interface Attached {
  readonly id: string;
  readonly body: ContainerBody;
  readonly given: RunFlags;
  readonly path: string;
  readonly signals: SignalForwarder | undefined;
}

/** Attaches, starts, and ends with the container's exit status. */
async function runAttached(context: Context, { id, body, given, path, signals }: Attached): Promise<void> {
  const keys = given["detach-keys"] || ((await context.config()).content.detachKeys ?? "");
  const hijacked = await context.api.hijack(`/containers/${id}/attach`, {
    query: {
      stream: true,
      stdin: body.AttachStdin,
      stdout: body.AttachStdout,
      stderr: body.AttachStderr,
      detachKeys: keys,
    },
  });
  const removes = body.HostConfig.AutoRemove;
  const { status } = await beginWait(context, id, removes ? "removed" : "next-exit");
  try {
    await withStartStatus(path, () => context.api.call("POST", `/containers/${id}/start`));
  } catch (error) {
    hijacked.socket.destroy();
    // The command line gives its prompt back only when nothing of the container is left.
    if (removes) await status;
    throw error;
  }
  signals?.start();
  using _size = body.Tty && context.stdout.isTTY ? followTerminalSize(context, { kind: "container", id }) : undefined;
  const end = await attachStreams(context, hijacked, {
    tty: body.Tty,
    stdin: body.AttachStdin,
    stdout: body.AttachStdout,
    stderr: body.AttachStderr,
    detachKeys: detachKeysOrDefault(context, keys),
  });
  if (end === "detached") return;
  const code = await status;
  if (code !== 0) throw new Exit(code);
}
