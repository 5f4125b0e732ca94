import { textAt } from "@boxship/api";
import { type Command, defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, duration, str } from "../flags.ts";
import { fileFlags } from "../global-flags.ts";
import { carry, podOfWord, terminalOf } from "./carry.ts";
import { containerOf } from "./pods-of.ts";

export const command: Command = defineCommand({
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
    const [word, ...words] = operands;
    if (word === undefined) throw new PlainRefusal(`error: pod, type/name or --filename must be specified`);
    if (words.length === 0) throw new PlainRefusal(`error: you must specify at least one command for the container`);
    const pod = await podOfWord(session, word);
    const phase = textAt(pod, "status", "phase");
    if (phase === "Succeeded" || phase === "Failed")
      throw new Refusal(`cannot exec into a container in a completed pod; current phase is ${phase}`);
    const tell = (line: string): void => (flags.quiet ? undefined : session.warn(line));
    const container = textAt(containerOf(pod, flags.container, tell), "name");
    const tty = terminalOf(session, flags);
    const stdin = flags.stdin ? session.io.stdin : undefined;
    await carry(session, pod, { subresource: "exec", container, command: words, stdin, tty });
  },
});
