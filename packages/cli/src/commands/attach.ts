import { defineCommand } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, Failure } from "../failure.ts";
import { bool, text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { attachStreams } from "../stream/attach-streams.ts";
import { checkTerminal } from "../stream/check-terminal.ts";
import { detachKeysOrDefault } from "../stream/detach-keys.ts";
import { forwardSignals } from "../stream/forward-signals.ts";
import { followTerminalSize, resizeTo, terminalSize } from "../stream/terminal-size.ts";
import { beginWait } from "../stream/wait-exit.ts";

interface Inspected {
  readonly Id: string;
  readonly Config: { readonly Tty: boolean; readonly OpenStdin: boolean };
  readonly State: { readonly Running: boolean; readonly Paused: boolean; readonly Restarting: boolean };
}

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Attach local standard input, output, and error streams to a running container",
  flags: {
    "detach-keys": text("Override the key sequence for detaching a container"),
    "no-stdin": bool("Do not attach STDIN"),
    "sig-proxy": bool("Proxy all received signals to the process", { initial: true }),
  },
  operands: { min: 1, max: 1 },
  completes: "running-container",
  async run(context, { flags, operands: [name = ""] }) {
    const { Id, Config } = await inspectRunning(context, name);
    const { status } = await beginWait(context, Id, "not-running");
    checkTerminal(context, !flags["no-stdin"], Config.Tty);
    using signals = flags["sig-proxy"] && !Config.Tty ? forwardSignals(context, Id) : undefined;
    signals?.start();
    const keys = flags["detach-keys"] || ((await context.config()).content.detachKeys ?? "");
    const stdin = !flags["no-stdin"] && Config.OpenStdin;
    const hijacked = await context.api.hijack(`/containers/${Id}/attach`, {
      query: { stream: true, stdin, stdout: true, stderr: true, detachKeys: keys },
    });
    using _size = Config.Tty && context.stdout.isTTY ? await redraw(context, Id) : undefined;
    const end = await attachStreams(context, hijacked, {
      tty: Config.Tty,
      stdin,
      stdout: true,
      stderr: true,
      detachKeys: detachKeysOrDefault(context, keys),
    });
    if (end === "detached") throw new Failure("read escape sequence");
    const code = await status;
    if (code !== 0) throw new Exit(code);
  },
});

async function inspectRunning({ api }: Context, name: string): Promise<Inspected> {
  const container = await api.json<Inspected>("GET", containerPath(name, "/json"));
  const { Running, Paused, Restarting } = container.State;
  if (!Running) throw new Failure("You cannot attach to a stopped container, start it first");
  if (Paused) throw new Failure("You cannot attach to a paused container, unpause it first");
  if (Restarting) throw new Failure("You cannot attach to a restarting container, wait until it is running");
  return container;
}

/** A shell shows its prompt again only when its terminal changes: make it a little larger, then right. */
async function redraw(context: Context, id: string): Promise<Disposable> {
  const target = { kind: "container", id } as const;
  const [height, width] = terminalSize(context);
  await resizeTo(context, target, [height + 1, width + 1]).catch(() => {});
  return followTerminalSize(context, target);
}
