import { textAt } from "@boxship/api";
import { type Command, defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { bool, int, str } from "../../flags.ts";
import type { Sink } from "../../io.ts";
import { getObject } from "../../request/objects.ts";
import type { Session } from "../../session.ts";
import { carry, type Wanted } from "../carry.ts";
import { containerOf } from "../pods-of.ts";
import { type FileSpec, parseFileSpec } from "./file-spec.ts";
import { copyFromPod } from "./from-pod.ts";
import { copyToPod } from "./to-pod.ts";

export interface CopyFlags {
  readonly container: string;
  readonly "no-preserve": boolean;
  readonly retries: number;
}

/** A command in the container that a path is in. @throws PlainRefusal with its status */
export type ExecAt = (
  command: readonly string[],
  streams: Pick<Wanted, "stdin" | "signal"> & { readonly stdout: Sink; readonly stderr: Sink },
) => Promise<void>;

export const command: Command = defineCommand({
  usage: "<file-spec-src> <file-spec-dest>",
  summary: "Copy files and directories to and from containers",
  flags: { container: str("", { short: "c" }), "no-preserve": bool(), retries: int() },
  async run(session, { flags, operands }) {
    if (operands.length !== 2) throw new Refusal("source and destination are required");
    const [from, to] = operands.map(parseFileSpec) as [FileSpec, FileSpec];
    if (from.pod !== "" && to.pod !== "") throw new Refusal("one of src or dest must be a local file specification");
    if (from.path === "" || to.path === "") throw new Refusal("filepath can not be empty");
    if (from.pod !== "") await copyFromPod(session, execAt(session, from, flags), { from, to, flags });
    else if (to.pod !== "") await copyToPod(session, execAt(session, to, flags), { from, to, flags });
    else throw new Refusal("one of src or dest must be a remote file specification");
  },
});

/** Each command finds its container anew, as kubectl does: it says where it had to choose. */
function execAt(session: Session, { pod: name, namespace }: FileSpec, flags: CopyFlags): ExecAt {
  return async (words, { stdin, stdout, stderr, signal }) => {
    const mapping = (await session.mapper()).known("", "pods");
    const pod = await getObject(session, { mapping, namespace: namespace || (await session.namespace()), name });
    const phase = textAt(pod, "status", "phase");
    if (phase === "Succeeded" || phase === "Failed")
      throw new Refusal(`cannot exec into a container in a completed pod; current phase is ${phase}`);
    const container = textAt(
      containerOf(pod, flags.container, (line) => stderr.write(`${line}\n`)),
      "name",
    );
    await carry(session, pod, { subresource: "exec", container, command: words, stdin, stdout, stderr, signal });
  };
}
