import type { Readable } from "node:stream";
import type { KubeObject } from "@boxship/api";
import type { Sink } from "../io.ts";
import { getObject } from "../request/objects.ts";
import { carryStreams, REMOTE_COMMAND_PROTOCOLS, withRawTerminal } from "../request/remote-command.ts";
import { objectPathOf } from "../resource/discovery.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { podOf } from "./pods-of.ts";

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

export interface Wanted {
  readonly subresource: "attach" | "exec";
  readonly container: string;
  readonly command?: readonly string[];
  /** What it reads. @default nothing */
  readonly stdin?: Readable | undefined;
  /** It has this program's terminal. @default false */
  readonly tty?: boolean;
  /** @default this program's own */
  readonly stdout?: Sink;
  /** @default this program's own */
  readonly stderr?: Sink;
  /** Leaves it. @default with this program */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Joins streams to those of a command in a container, until it has ended.
 *
 * @throws PlainRefusal with the command's status, Refusal where it could not be run
 */
export async function carry(session: Session, pod: KubeObject, wanted: Wanted): Promise<void> {
  const { io } = session;
  const { subresource, container, command = [], stdin, tty = false, stdout = io.stdout, stderr = io.stderr } = wanted;
  const query = new URLSearchParams([
    ["container", container],
    ...command.map((word) => ["command", word] as [string, string]),
    ...(stdin === undefined ? [] : [["stdin", "true"] as [string, string]]),
    ["stdout", "true"],
    // A terminal has one output.
    [tty ? "tty" : "stderr", "true"],
  ]);
  const path = await streamPath(session, pod, subresource);
  const socket = await (await session.api()).openWebSocket(path, query, REMOTE_COMMAND_PROTOCOLS);
  const end = (): void => socket.terminate();
  const signals = [io.signal, wanted.signal].filter((one) => one !== undefined);
  for (const one of signals) {
    if (one.aborted) end();
    one.addEventListener("abort", end, { once: true });
  }
  try {
    await withRawTerminal(io, tty, () => carryStreams(socket, { stdin, stdout, stderr, tty }));
  } finally {
    for (const one of signals) one.removeEventListener("abort", end);
    socket.terminate();
  }
}

/** Whether a terminal is given: it can be only by who has one. */
export function terminalOf(
  session: Session,
  { stdin, tty, quiet }: { readonly stdin: boolean; readonly tty: boolean; readonly quiet: boolean },
): boolean {
  if (!stdin || !tty) return false;
  if (session.io.stdin.isTTY === true) return true;
  if (!quiet) session.warn("Unable to use a TTY - input is not a terminal or the right kind of file");
  return false;
}
