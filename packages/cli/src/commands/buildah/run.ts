import { ApiError } from "../../api-client/api-error.ts";
import { defineBuildah, refused } from "../../buildah/buildah-command.ts";
import { onWorking } from "../../buildah/working-api.ts";
import { isolationFlag, mountOf, networkOf, volumeMount } from "../../buildah/working-flags.ts";
import { environmentChecker } from "../../container-options/checks.ts";
import type { Context } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool, commaList, list, text } from "../../flags/flag.ts";
import { attachStreams } from "../../stream/attach-streams.ts";
import { followTerminalSize, terminalSize } from "../../stream/terminal-size.ts";

export const command = defineBuildah({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Run a command inside of a working container",
  flags: {
    ...refused({
      cgroupns: "commands have the engine's choice",
      contextdir: "name directories with --volume",
      ipc: "commands have a namespace of their own",
      "no-hosts": "commands get a hosts file that the image has not",
      pid: "commands have a namespace of their own",
      runtime: "the engine chooses its runtime",
      "runtime-flag": "the engine chooses its runtime",
      uts: "commands have a namespace of their own",
    }),
    "add-history": bool("Add an entry for this operation to the image's history"),
    "cap-add": commaList("Add the specified capability"),
    "cap-drop": commaList("Drop the specified capability"),
    env: list("Add environment variable to be set temporarily when running command", {
      short: "e",
      check: environmentChecker(process.env),
    }),
    hostname: text("Set the hostname inside of the container"),
    isolation: isolationFlag,
    mount: list("Attach a filesystem mount to the container"),
    network: text("'private', 'none', 'host', or a network of the engine"),
    "no-pivot": bool("Not supported: the runtime decides", { hidden: true }),
    terminal: bool("Allocate a pseudo-TTY in the container", { short: "t" }),
    tty: bool("Allocate a pseudo-TTY in the container", { hidden: true }),
    user: text("user[:group] to run the command as"),
    volume: list("Bind mount a host location into the container while running the command", { short: "v" }),
    workingdir: text("Temporarily set working directory for command"),
  },
  raw: false,
  async run(context, { flags, changed, operands: [name, ...words] }) {
    if (name === undefined) throw new Failure("container ID must be specified");
    if (flags["no-pivot"]) throw new Failure("--no-pivot is not supported: the runtime decides");
    const args = words[0] === "--" ? words.slice(1) : words;
    if (args.length === 0) throw new Failure("command must be specified");
    const asked = changed.has("terminal") || changed.has("tty");
    const terminal = asked ? flags.terminal || flags.tty : context.stdin.isTTY && context.stdout.isTTY;
    const [height, width] = terminal ? terminalSize(context) : [0, 0];
    const network = networkOf(flags.network);
    const { id } = await onWorking<{ readonly id: string }>(context, "POST", name, "/runs", {
      body: {
        args,
        env: flags.env,
        capAdd: flags["cap-add"],
        capDrop: flags["cap-drop"],
        mounts: [...flags.volume.map(volumeMount), ...flags.mount.map(mountOf)],
        addHistory: flags["add-history"] || context.env["BUILDAH_HISTORY"] === "true",
        terminal,
        height,
        width,
        ...(flags.user === "" ? {} : { user: flags.user }),
        ...(flags.workingdir === "" ? {} : { workingDir: flags.workingdir }),
        ...(flags.hostname === "" ? {} : { hostname: flags.hostname }),
        ...(network === undefined ? {} : { network }),
      },
    });
    const code = await runAttached(context, id, terminal);
    if (code !== 0) throw new Failure(`Error: while running runtime: exit status ${code}`, { status: code });
  },
});

async function runAttached(context: Context, id: string, tty: boolean): Promise<number> {
  const path = `/boxship/working-runs/${id}`;
  const hijacked = await context.api.hijack(`${path}/start`).catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    throw new Failure(`Error: while running runtime: ${error.reason}`, {
      status: 1,
      remedy: error.remedy,
      cause: error,
    });
  });
  using _size = tty && context.stdin.isTTY ? followTerminalSize(context, { kind: "working-run", id }) : undefined;
  await attachStreams(context, hijacked, { tty, stdin: true, stdout: true, stderr: true, detachKeys: [] });
  const { exitCode } = await context.api.json<{ readonly exitCode?: number }>("GET", path);
  return exitCode ?? 0;
}
