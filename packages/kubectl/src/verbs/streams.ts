import { type Json, type KubeObject, textAt, valueAt } from "@boxship/api";
import { type Command, defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, str } from "../flags.ts";
import { fileFlags } from "../global-flags.ts";
import { getObject } from "../request/objects.ts";
import { carryStreams, REMOTE_COMMAND_PROTOCOLS, withRawTerminal } from "../request/remote-command.ts";
import { objectPathOf } from "../resource/discovery.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { containerOf, podOf } from "./pods-of.ts";

/** The pod that a word means: by its name, or the first of a workload's. */
export async function podOfWord(session: Session, word: string): Promise<KubeObject> {
  const mapping = (await session.mapper()).known("", "pods");
  const namespace = await session.namespace();
  const [target] = word.includes("/") ? await resolveTargets(session, [word]) : [{ mapping, namespace, name: word }];
  return target === undefined || target.mapping.kind === "Pod"
    ? await getObject(session, target ?? { mapping, namespace, name: word })
    : await podOf(session, target, false);
}

/** Where a pod's streams are. */
export async function streamPath(session: Session, pod: KubeObject, subresource: string): Promise<string> {
  const mapping = (await session.mapper()).known("", "pods");
  return objectPathOf(mapping, pod.metadata.namespace ?? "", pod.metadata.name ?? "", subresource);
}

interface Wanted {
  readonly subresource: "attach" | "exec";
  readonly container: string;
  readonly command?: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

async function carry(session: Session, pod: KubeObject, wanted: Wanted): Promise<void> {
  const { subresource, container, command = [], stdin, tty } = wanted;
  const query = new URLSearchParams([
    ["container", container],
    ...command.map((word) => ["command", word] as [string, string]),
    ...(stdin ? [["stdin", "true"] as [string, string]] : []),
    ["stdout", "true"],
    // A terminal has one output.
    [tty ? "tty" : "stderr", "true"],
  ]);
  const path = await streamPath(session, pod, subresource);
  const socket = await (await session.api()).openWebSocket(path, query, REMOTE_COMMAND_PROTOCOLS);
  const { io } = session;
  const end = (): void => socket.terminate();
  io.signal?.addEventListener("abort", end, { once: true });
  try {
    await withRawTerminal(io.stdin, tty, () =>
      carryStreams(socket, { stdin: stdin ? io.stdin : undefined, stdout: io.stdout, stderr: io.stderr, tty }),
    );
  } finally {
    io.signal?.removeEventListener("abort", end);
    socket.terminate();
  }
}

/** A terminal can be given only by who has one. */
function terminalOf(
  session: Session,
  flags: { readonly stdin: boolean; readonly tty: boolean; readonly quiet: boolean },
) {
  if (!flags.stdin || !flags.tty) return false;
  if (session.io.stdin.isTTY === true) return true;
  if (!flags.quiet) session.warn("Unable to use a TTY - input is not a terminal or the right kind of file");
  return false;
}

export const exec: Command = defineCommand({
  usage: "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
  summary: "Execute a command in a container",
  flags: {
    ...fileFlags,
    container: str("", { short: "c" }),
    "pod-running-timeout": duration(60_000),
    quiet: bool(false, { short: "q" }),
    stdin: bool(false, { short: "i" }),
    tty: bool(false, { short: "t" }),
  },
  async run(session, { flags, operands }) {
    const [word, ...command] = operands;
    if (word === undefined) throw new PlainRefusal(`error: pod, type/name or --filename must be specified`);
    if (command.length === 0) throw new PlainRefusal(`error: you must specify at least one command for the container`);
    const pod = await podOfWord(session, word);
    const phase = textAt(pod, "status", "phase");
    if (phase === "Succeeded" || phase === "Failed")
      throw new Refusal(`cannot exec into a container in a completed pod; current phase is ${phase}`);
    const container = textAt(containerOf(session, pod, flags.container), "name");
    const tty = terminalOf(session, flags);
    await carry(session, pod, { subresource: "exec", container, command, stdin: flags.stdin, tty });
  },
});

export const attach: Command = defineCommand({
  usage: "(POD | TYPE/NAME) -c CONTAINER",
  summary: "Attach to a running container",
  flags: {
    container: str("", { short: "c" }),
    "pod-running-timeout": duration(60_000),
    quiet: bool(false, { short: "q" }),
    stdin: bool(false, { short: "i" }),
    tty: bool(false, { short: "t" }),
  },
  async run(session, { flags, operands, path }) {
    const [word] = operands;
    if (word === undefined)
      throw new PlainRefusal(
        `error: at least 1 argument is required for attach\nSee '${path} -h' for help and examples`,
      );
    const pod = await podOfWord(session, word);
    const phase = textAt(pod, "status", "phase");
    if (phase === "Succeeded" || phase === "Failed")
      throw new Refusal(`cannot attach a container in a completed pod; current phase is ${phase}`);
    const container = toAttachTo(session, pod, flags.container);
    const name = textAt(container, "name");
    const has = valueAt(container, "tty") === true;
    if (flags.tty && !has && !flags.quiet)
      session.warn(`error: Unable to use a TTY - container ${name} did not allocate one`);
    const tty = terminalOf(session, { ...flags, tty: has });
    if (!flags.quiet) for (const line of ATTACHED) session.warn(line);
    await carry(session, pod, { subresource: "attach", container: name, stdin: flags.stdin, tty });
  },
});

const ATTACHED = [
  "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.",
  "If you don't see a command prompt, try pressing enter.",
];

function toAttachTo(session: Session, pod: KubeObject, name: string): Json {
  try {
    return containerOf(session, pod, name);
  } catch (error) {
    throw error instanceof Refusal ? new Refusal(`cannot attach to the container: ${error.message}`) : error;
  }
}
