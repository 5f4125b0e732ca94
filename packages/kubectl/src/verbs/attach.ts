import { type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { type Command, defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, str } from "../flags.ts";
import type { Session } from "../session.ts";
import { carry, podOfWord, terminalOf } from "./carry.ts";
import { containerOf } from "./pods-of.ts";

export interface AttachFlags {
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly quiet: boolean;
}

export const command: Command = defineCommand({
  usage: "(POD | TYPE/NAME) -c CONTAINER",
  summary: "Attach to a running container",
  flags: {
    container: str("", { short: "c" }),
    "pod-running-timeout": duration(60_000),
    quiet: bool(false, { short: "q" }),
    stdin: bool(false, { short: "i" }),
    tty: bool(false, { short: "t" }),
  },
  async run(session, { flags, operands }) {
    const [word, name] = operands;
    if (word === undefined) throw new PlainRefusal("error: at least 1 argument is required for attach");
    if (operands.length > 2) {
      throw new PlainRefusal(
        `error: expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw ${operands.length}: [${operands.join(" ")}]`,
      );
    }
    const pod = await podOfWord(session, name === undefined ? word : `${word}/${name}`);
    const phase = textAt(pod, "status", "phase");
    if (phase === "Succeeded" || phase === "Failed")
      throw new Refusal(`cannot attach a container in a completed pod; current phase is ${phase}`);
    await attachTo(session, pod, flags.container, flags);
  },
});

const ATTACHED = [
  "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.",
  "If you don't see a command prompt, try pressing enter.",
];

/** Joins this program to a container that runs. @param name of the container, empty for the one that is meant */
export async function attachTo(session: Session, pod: KubeObject, name: string, flags: AttachFlags): Promise<void> {
  const { stdin, quiet } = flags;
  const container = toAttachTo(session, pod, name, quiet);
  const found = textAt(container, "name");
  const has = valueAt(container, "tty") === true;
  if (flags.tty && !has && !quiet) {
    session.warn(`error: Unable to use a TTY - container ${found} did not allocate one`);
  }
  const tty = terminalOf(session, { stdin, tty: has, quiet });
  if (!quiet) for (const line of ATTACHED) session.warn(line);
  await carry(session, pod, {
    subresource: "attach",
    container: found,
    stdin: stdin ? session.io.stdin : undefined,
    tty,
  });
  if (tty && !quiet) session.print(`Session ended, ${againText(pod, found)}`);
}

function againText(pod: KubeObject, container: string): string {
  const { name = "", namespace = "" } = pod.metadata;
  const words = `kubectl attach ${name} -c ${container} -n ${namespace} -i -t`;
  const isEphemeral = listAt(pod, "spec", "ephemeralContainers").some((one) => textAt(one, "name") === container);
  return isEphemeral
    ? `the ephemeral container will not be restarted but may be reattached using '${words}' if it is still running`
    : `resume using '${words}' command`;
}

function toAttachTo(session: Session, pod: KubeObject, name: string, quiet: boolean): Json {
  try {
    return containerOf(pod, name, (line) => {
      if (!quiet) session.warn(line);
    });
  } catch (error) {
    throw error instanceof Refusal ? new Refusal(`cannot attach to the container: ${error.message}`) : error;
  }
}
