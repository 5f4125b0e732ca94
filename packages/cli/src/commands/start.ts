import type { Query } from "../api-client/client.ts";
import { defineCommand } from "../command.ts";
import { type Context, print, warn } from "../context.ts";
import { Exit, Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { attachStreams } from "../stream/attach-streams.ts";
import { detachKeysOrDefault } from "../stream/detach-keys.ts";
import { forwardSignals } from "../stream/forward-signals.ts";
import { followTerminalSize } from "../stream/terminal-size.ts";
import { beginWait } from "../stream/wait-exit.ts";

interface Inspected {
  readonly Id: string;
  readonly Config: { readonly Tty: boolean; readonly OpenStdin: boolean };
  readonly HostConfig: { readonly AutoRemove: boolean };
}

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start one or more stopped containers",
  flags: {
    attach: bool("Attach STDOUT/STDERR and forward signals", { short: "a" }),
    checkpoint: text("Restore from this checkpoint"),
    "checkpoint-dir": text("Use a custom checkpoint storage directory"),
    "detach-keys": text("Override the key sequence for detaching a container"),
    interactive: bool("Attach container's STDIN", { short: "i" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { flags, operands }) {
    const from = { checkpoint: flags.checkpoint, "checkpoint-dir": flags["checkpoint-dir"] };
    if (flags.checkpoint !== "" && operands.length > 1) {
      throw new Failure("you cannot restore multiple containers at once");
    }
    if (!flags.attach && !flags.interactive) {
      await startAll(context, operands, from);
      return;
    }
    const [name = "", ...others] = operands;
    if (others.length > 0) throw new Failure("you cannot start and attach multiple containers at once");
    await startAttached(context, name, { stdin: flags.interactive, keys: flags["detach-keys"], from });
  },
});

async function startAll(context: Context, names: readonly string[], query: Query): Promise<void> {
  const failed: string[] = [];
  for (const name of names) {
    try {
      await context.api.call("POST", containerPath(name, "/start"), { query });
      print(context, name);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      warn(context, error.message);
      if (error.remedy !== undefined) warn(context, `Hint: ${error.remedy}`);
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new Failure(`Error: failed to start containers: ${failed.join(", ")}`);
}

async function startAttached(
  context: Context,
  name: string,
  options: { readonly stdin: boolean; readonly keys: string; readonly from: Query },
): Promise<void> {
  const { Id, Config, HostConfig } = await context.api.json<Inspected>("GET", containerPath(name, "/json"));
  using signals = Config.Tty ? undefined : forwardSignals(context, Id);
  const keys = options.keys || ((await context.config()).content.detachKeys ?? "");
  const stdin = options.stdin && Config.OpenStdin;
  const hijacked = await context.api.hijack(`/containers/${Id}/attach`, {
    query: { stream: true, stdin, stdout: true, stderr: true, detachKeys: keys },
  });
  const removes = HostConfig.AutoRemove;
  const { status } = await beginWait(context, Id, removes ? "removed" : "next-exit");
  try {
    await context.api.call("POST", `/containers/${Id}/start`, { query: options.from });
  } catch (error) {
    hijacked.socket.destroy();
    if (removes) await status;
    throw error;
  }
  signals?.start();
  const follows = Config.Tty && context.stdout.isTTY;
  using _size = follows ? followTerminalSize(context, { kind: "container", id: Id }) : undefined;
  const end = await attachStreams(context, hijacked, {
    tty: Config.Tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: detachKeysOrDefault(context, keys),
  });
  if (end === "detached") return;
  const code = await status;
  if (code !== 0) throw new Exit(code);
}
