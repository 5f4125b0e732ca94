import { daemonCommand } from "@boxship/base/entry";
import { ApiClient } from "../api-client/client.ts";
import { daemonFlags } from "../api-client/start-daemon.ts";
import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { describeEndpoint, resolveInstance } from "../instance.ts";
import { shutDown } from "../shared/shut-down.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [start|stop|status]",
  summary: "Run the engine in the foreground, or stop it or ask for its status (containers keep running either way)",
  flags: {
    config: text("Configuration file"),
    group: text("Group that may use the engine's socket"),
    "log-level": text("Least severe messages that are logged", { choices: ["debug", "info", "warn", "error"] }),
    name: text("Instance of the engine"),
    root: text("Durable state of the instance"),
    "storage-driver": text("What mounts the file systems of containers: overlay2 or fuse-overlayfs"),
    "userns-remap": text("User namespace of containers: default, USER or USER:GROUP"),
    "rootless-network": text("What connects an engine without root with the outside", {
      choices: ["auto", "pasta", "slirp4netns", "none"],
    }),
    "run-dir": text("Directory of the instance's sockets"),
  },
  operands: { max: 1 },
  async run(context, { flags, changed, operands: [action = "run"] }) {
    if (["start", "stop", "status"].includes(action)) refuseFlags(action, changed);
    switch (action) {
      case "run":
        return replaceByDaemon(context, flags, changed);
      case "start":
        // Any request starts the engine; this one changes nothing.
        return printStatus(context);
      case "stop":
        return stop(context);
      case "status":
        return status(context);
      default:
        throw new Failure(`unknown action ${JSON.stringify(action)}`, {
          remedy: "say start, stop or status, or nothing to run it",
        });
    }
  },
});

/** They are the daemon's own, which is not started by these words but by whatever needs it. */
function refuseFlags(action: string, changed: ReadonlySet<string>): void {
  const [flag] = changed;
  if (flag === undefined) return;
  throw new Failure(`--${flag} says nothing to 'daemon ${action}'`, {
    remedy: ["name", "root"].includes(flag)
      ? `write it before the command: boxship --${flag} VALUE daemon ${action}`
      : "write it into the configuration file, or run 'boxship daemon' in the foreground with it",
  });
}

/** This process becomes the daemon: signals and the exit status are its own. */
function replaceByDaemon(
  context: Context,
  flags: Readonly<Record<string, string>>,
  changed: ReadonlySet<string>,
): Promise<never> {
  for (const flag of ["name", "root", "run-dir"]) {
    if (changed.has(flag) && flags[flag] === "") throw new Failure(`--${flag} is empty`, { status: 125 });
  }
  const { name, root } = flags;
  const instance = resolveInstance({
    name: name || context.instance.name,
    root: root || context.instance.root,
    env: context.env,
  });
  const own = changed.has("run-dir") ? { ...instance, runDir: flags["run-dir"] ?? instance.runDir } : instance;
  const more = ["config", "group", "log-level", "rootless-network", "storage-driver", "userns-remap"].flatMap((flag) =>
    changed.has(flag) ? [`--${flag}`, flags[flag] ?? ""] : [],
  );
  const [file, ...args] = daemonCommand();
  if (process.execve === undefined) throw new Failure("this platform cannot replace a process");
  return process.execve(file, [file, ...args, ...daemonFlags(own), ...more], process.env);
}

interface Ping {
  readonly Version: string;
  readonly Name?: string;
  readonly Root?: string;
  readonly RunDir?: string;
  readonly Pid?: number;
}

async function printStatus(context: Context): Promise<void> {
  const { Version, Name, Root, RunDir, Pid } = await context.api.json<Ping>("GET", "/boxship/ping");
  const lines = { Version, Name, Root, "Run directory": RunDir, "Process id": Pid };
  print(context, `The engine answers at ${describeEndpoint(context.endpoint)}`);
  for (const [label, value] of Object.entries(lines)) if (value !== undefined) print(context, ` ${label}: ${value}`);
}

/** Asks without starting what does not run. */
async function status(context: Context): Promise<void> {
  using api = new ApiClient(context.endpoint);
  await printStatus({ ...context, api });
}

async function stop(context: Context): Promise<void> {
  await shutDown(context, { reset: false });
  print(context, "The engine has stopped; its containers keep running");
}
