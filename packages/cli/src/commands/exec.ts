import { defineCommand } from "../command.ts";
import { environmentChecker } from "../container-options/checks.ts";
import { collectPairs } from "../container-options/environment.ts";
import type { Context } from "../context.ts";
import { Exit, Failure } from "../failure.ts";
import { bool, list, text } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { attachStreams } from "../stream/attach-streams.ts";
import { checkTerminal } from "../stream/check-terminal.ts";
import { detachKeysOrDefault } from "../stream/detach-keys.ts";
import { followTerminalSize, terminalSize } from "../stream/terminal-size.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Execute a command in a running container",
  flags: {
    detach: bool("Detached mode: run command in the background", { short: "d" }),
    "detach-keys": text("Override the key sequence for detaching a container"),
    env: list("Set environment variables", { short: "e", check: environmentChecker(process.env) }),
    "env-file": list("Read in a file of environment variables"),
    interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
    privileged: bool("Give extended privileges to the command"),
    tty: bool("Allocate a pseudo-TTY", { short: "t" }),
    user: text('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: "u" }),
    workdir: text("Working directory inside the container", { short: "w" }),
  },
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  interspersed: false,
  completes: "running-container",
  async run(context, { flags, operands: [name = "", ...Cmd] }) {
    const attached = !flags.detach;
    const keys = flags["detach-keys"] || ((await context.config()).content.detachKeys ?? "");
    const size = flags.tty ? { ConsoleSize: terminalSize(context) } : {};
    const body = {
      User: flags.user,
      Privileged: flags.privileged,
      Tty: flags.tty,
      AttachStdin: attached && flags.interactive,
      AttachStdout: attached,
      AttachStderr: attached,
      DetachKeys: keys,
      Env: await collectPairs(flags["env-file"], flags.env, (variable) => context.env[variable]),
      WorkingDir: flags.workdir,
      Cmd,
      ...size,
    };
    if (attached) checkTerminal(context, flags.interactive, flags.tty);
    const created = await context.api.json<{ readonly Id: string }>("POST", containerPath(name, "/exec"), { body });
    const start = { Detach: flags.detach, Tty: flags.tty, ...size };
    if (!attached) {
      await context.api.call("POST", `/exec/${created.Id}/start`, { body: start });
      return;
    }
    await execAttached(context, created.Id, { start, tty: flags.tty, stdin: flags.interactive, keys });
  },
});

interface Attached {
  readonly start: object;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly keys: string;
}

async function execAttached(context: Context, id: string, { start, tty, stdin, keys }: Attached): Promise<void> {
  const hijacked = await context.api.hijack(`/exec/${id}/start`, { body: start });
  using _size = tty && context.stdin.isTTY ? followTerminalSize(context, { kind: "exec", id }) : undefined;
  const end = await attachStreams(context, hijacked, {
    tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys: detachKeysOrDefault(context, keys),
  });
  if (end === "detached") throw new Failure("read escape sequence");
  const { ExitCode } = await context.api.json<{ readonly ExitCode: number | null }>("GET", `/exec/${id}/json`);
  if (ExitCode) throw new Exit(ExitCode);
}
