import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "@boxship/base";
import { daemonCommand } from "@boxship/base/entry";
import type { EngineContext } from "@boxship/engine";
import { type Fd, idRanges, type Process, pipe, readableFrom, spawnProcess, writableTo } from "@boxship/kernel";
import {
  FAILURE_DESCRIPTOR,
  type InRootFailure,
  type InRootRequest,
  REQUEST_DESCRIPTOR,
  RUN_IN_ROOT,
} from "./in-root-request.ts";

/**
 * What keeps commands of builds apart where this process may neither mount nor make namespaces by itself. `namespaces`: a
 * user namespace of its own lets a command have mounts and process ids. `none`: it has a root of its own, and that is all.
 */
export type Isolation = "namespaces" | "none";

/** A command that has been started. */
export interface InRootProcess {
  readonly child: Process;
  /** Undefined once it has become the command. */
  readonly failure: Promise<InRootFailure | undefined>;
}

export interface InRootOutput {
  readonly stdout: Fd;
  readonly stderr: Fd;
}

const GO = 5;
const READY = 6;

/** Starts the program that becomes a command. The caller owns the outputs. */
export async function startInRoot(
  isolation: Isolation,
  request: InRootRequest,
  output: InRootOutput,
  options: { readonly network?: "none" } = {},
): Promise<InRootProcess> {
  using words = pipe();
  using failures = pipe();
  using go = pipe();
  using ready = pipe();
  const own = [...daemonCommand(), RUN_IN_ROOT];
  // The ids of a user namespace are for somebody outside to say; until then nobody in it may do anything.
  const script = `echo >&${READY} && read go <&${GO} && exec "$@" ${GO}<&- ${READY}>&-`;
  const network = options.network === "none" ? ["-n"] : [];
  const isNamespaced = isolation === "namespaces";
  const [file = "", ...args] = isNamespaced
    ? ["unshare", "-U", "-m", ...network, "sh", "-c", script, "sh", ...own]
    : own;
  const handshake: Readonly<Record<number, Fd>> = isNamespaced ? { [GO]: go.readEnd, [READY]: ready.writeEnd } : {};
  const child = spawnProcess({
    file,
    args,
    cwd: "/",
    setsid: true,
    stdio: {
      1: output.stdout,
      2: output.stderr,
      [REQUEST_DESCRIPTOR]: words.readEnd,
      [FAILURE_DESCRIPTOR]: failures.writeEnd,
      ...handshake,
    },
  });
  for (const end of [words.readEnd, failures.writeEnd, go.readEnd, ready.writeEnd]) end.close();
  const failure = readAll(failures.readEnd).then(failureOf);
  failure.catch(() => {});
  send(words.writeEnd, JSON.stringify(request));
  if (isNamespaced && (await readAll(ready.readEnd, 1)) !== "") {
    for (const kind of ["uid", "gid"] as const) {
      const same = idRanges(kind).map(({ inside, count }) => `${inside} ${inside} ${count}\n`);
      await writeFile(`/proc/${child.pid}/${kind}_map`, same.join(""));
    }
    send(go.writeEnd, "go\n");
  }
  return { child, failure };
}

function failureOf(text: string): InRootFailure | undefined {
  return text === "" ? undefined : (JSON.parse(text) as InRootFailure);
}

/** @param most bytes after which it is enough. @default all */
async function readAll(end: Fd, most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = "";
  for await (const part of readableFrom(end.duplicate()) as AsyncIterable<Buffer>) {
    text += part.toString();
    if (text.length >= most) break;
  }
  return text;
}

/** A program that has ended too early says why by itself. */
function send(end: Fd, text: string): void {
  const writer = writableTo(end.duplicate());
  writer.on("error", () => writer.destroy());
  writer.end(text);
}

const known = new WeakMap<EngineContext, Promise<Isolation>>();

/** What can be had here: found out once, by trying. */
export function isolationHere(engine: EngineContext): Promise<Isolation> {
  let found = known.get(engine);
  if (found === undefined) known.set(engine, (found = tryNamespaces(engine)));
  return found;
}

async function tryNamespaces(engine: EngineContext): Promise<Isolation> {
  const { options, logger } = engine;
  const { namespaces } = options.confined ?? {};
  if (namespaces !== undefined) return namespaces ? "namespaces" : "none";
  if (findProgram("unshare") === undefined || findProgram("sh") === undefined) return "none";
  const parent = join(options.runDir, "build");
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const root = await mkdtemp(join(parent, "try-"));
  try {
    using output = pipe();
    const { child, failure } = await startInRoot("namespaces", trial(root), {
      stdout: output.writeEnd,
      stderr: output.writeEnd,
    });
    output.writeEnd.close();
    const [words, told] = await Promise.all([readAll(output.readEnd), failure, child.exited]);
    // It came as far as to look for a program that is not there.
    if (told?.exitCode === 127) return "namespaces";
    logger.info("commands of builds have no namespaces of their own here", { reason: told?.message ?? words.trim() });
    return "none";
  } catch (error) {
    logger.info("commands of builds have no namespaces of their own here", { error });
    return "none";
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function trial(root: string): InRootRequest {
  const mounts = HOST_MOUNTS.map((path) => ({ source: path, target: path, readOnly: false }));
  const nobody = { uid: 0, groups: [0], env: [], limits: [], capabilities: [] };
  return { root, cwd: "/", args: ["/nothing"], mounts, ...nobody };
}

/** What a command shares with this process, where it can be mounted. */
export const HOST_MOUNTS: readonly string[] = ["/proc", "/sys", "/dev"];
