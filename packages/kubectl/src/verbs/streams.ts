import { textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { type Command, defineCommand } from "../command.ts";
import { statusAt } from "../error-text.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, str } from "../flags.ts";
import { fileFlags } from "../global-flags.ts";
import type { Query } from "../request/api.ts";
import { getObject } from "../request/objects.ts";
import { objectPathOf } from "../resource/discovery.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { defaultContainer, podOf } from "./pods-of.ts";

/** Asks for a stream. What a server without nodes answers is told; streams themselves are not carried yet. */
async function askFor(
  session: Session,
  word: string,
  subresource: string,
  query: (container: string) => Query,
): Promise<never> {
  const mapping = (await session.mapper()).known("", "pods");
  const namespace = await session.namespace();
  const [target] = word.includes("/") ? await resolveTargets(session, [word]) : [{ mapping, namespace, name: word }];
  const pod =
    target === undefined || target.mapping.kind === "Pod"
      ? await getObject(session, target ?? { mapping, namespace, name: word })
      : await podOf(session, target);
  const phase = textAt(pod, "status", "phase");
  if (subresource === "portforward" && phase !== "Running") {
    throw new Refusal(`unable to forward port because pod is not running. Current status=${phase}`);
  }
  const container = subresource === "portforward" ? "" : defaultContainer(session, pod);
  const path = objectPathOf(mapping, namespace, textAt(pod, "metadata", "name"), subresource);
  const api = await session.api();
  try {
    await api.call("POST", path, { query: query(container) });
  } catch (error) {
    if (statusAt(error) === undefined) throw error;
    throw new Refusal(`unable to upgrade connection: ${errorMessage(error)}`);
  }
  throw new Refusal(`kubectl ${subresource} is not supported: streams are not carried yet`);
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
    await askFor(session, word, "exec", (container) => ({
      container: flags.container || container,
      command: command[0],
      stdin: flags.stdin,
      stdout: true,
      stderr: true,
      tty: flags.tty,
    }));
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
    await askFor(session, word, "attach", (container) => ({
      container: flags.container || container,
      stdin: flags.stdin,
      stdout: true,
      stderr: true,
      tty: flags.tty,
    }));
  },
});

export const portForward: Command = defineCommand({
  usage: "TYPE/NAME [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
  summary: "Forward one or more local ports to a pod",
  flags: { address: str("localhost"), "pod-running-timeout": duration(60_000) },
  async run(session, { operands, path }) {
    const [word, port] = operands;
    if (word === undefined || port === undefined) {
      throw new PlainRefusal(
        `error: TYPE/NAME and list of ports are required for port-forward\nSee '${path} -h' for help and examples`,
      );
    }
    await askFor(session, word, "portforward", () => ({ ports: port.split(":").at(-1) }));
  },
});
