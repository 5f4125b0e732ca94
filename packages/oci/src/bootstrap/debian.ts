import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { FailedPrecondition, Internal, systemCode, Unavailable } from "@boxship/base";
import {
  killIfThere,
  mount,
  type Process,
  pipe,
  readableFrom,
  releaseMountsBelow,
  signalNumber,
  spawnProcess,
} from "@boxship/kernel";
import { bytesOf } from "../layer/tar/bytes.ts";
import { tarEntry } from "../layer/tar/encoder.ts";
import { newestList } from "./apt-lists.ts";
import { formatDeb822, readAptSources } from "./apt-sources.ts";
import type { OsRelease } from "./os-release.ts";
import type { RootFilesystem } from "./root-filesystem.ts";

export interface DebianRequest {
  readonly release: OsRelease;
  /** Package sources in deb822 form. @default the machine's own, which must be of the release */
  readonly sources?: string;
  /** Latest time of files, in seconds since the epoch. @default when the newest package list was made, else as it comes */
  readonly epoch?: number | undefined;
  readonly onProgress: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What no container needs and every layer carries otherwise. */
const OPTIONS = [
  "--variant=minbase",
  "--mode=root",
  "--format=tar",
  '--aptopt=Acquire::Languages "none"',
  "--dpkgopt=force-unsafe-io",
  "--dpkgopt=path-exclude=/usr/share/man/*",
  "--dpkgopt=path-exclude=/usr/share/locale/*",
  "--dpkgopt=path-exclude=/usr/share/doc/*",
  "--dpkgopt=path-include=/usr/share/doc/*/copyright",
];

const GRACE = 10_000;

/** The base system of the machine's own distribution, or that of other sources, by mmdebstrap. Needs root. */
export async function debianRoot(request: DebianRequest): Promise<RootFilesystem> {
  const { release } = request;
  const sources = request.sources ?? (await ownSources(release));
  // The same packages then give the same image.
  const epoch = request.epoch ?? (request.sources === undefined ? await newestList(release.codename) : undefined);
  return {
    ...(epoch === undefined ? {} : { epoch }),
    archive: run({ ...request, epoch }, sources),
    rewrite: {
      latestMtime: epoch,
      // The runtime mounts its own devices there.
      keep: ({ type }) => type !== "character" && type !== "block",
      append: [
        {
          // Packages that start their service at installation would fail without an init system.
          entry: tarEntry({
            type: "file",
            name: bytesOf("usr/sbin/policy-rc.d"),
            mode: 0o755,
            size: POLICY.length,
            mtime: epoch ?? now(),
          }),
          body: POLICY,
        },
      ],
    },
    config: { Cmd: ["bash"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
    tags: [`${release.id}:${release.codename}`, `${release.id}:latest`],
  };
}

async function ownSources({ id, codename }: OsRelease): Promise<string> {
  if (codename === "" || (id !== "debian" && id !== "ubuntu")) {
    throw new FailedPrecondition(`a Debian image is made from the machine's package sources, and this is ${id}`, {
      remedy: "use the busybox image, or run on Debian or Ubuntu",
    });
  }
  return formatDeb822(await readAptSources(codename));
}

const POLICY = Buffer.from(
  "#!/bin/sh\n# Services are not started when packages are installed in a container.\nexit 101\n",
);

function now(): number {
  return Math.floor(Date.now() / 1000);
}

async function* run(request: DebianRequest, sources: string): AsyncGenerator<Uint8Array> {
  const { release, signal, epoch } = request;
  signal?.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), "boxship-bootstrap-"));
  try {
    mountWorkspace(directory);
    const list = join(directory, `${release.id}.sources`);
    await writeFile(list, sources);
    const time = epoch === undefined ? {} : { SOURCE_DATE_EPOCH: String(epoch) };
    const environment = { ...process.env, ...time, TMPDIR: directory };
    yield* output([...OPTIONS, release.codename, "-", list], environment, request);
  } finally {
    await releaseMountsBelow(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

const GIBIBYTE = 1 << 30;

/**
 * Lets the work be done in memory where there is plenty: the tree is written, read once and thrown away, and 47 seconds
 * were measured against 115 on a busy disk.
 */
function mountWorkspace(directory: string): void {
  if (process.availableMemory() < 2 * GIBIBYTE) return;
  try {
    mount({ source: "boxship-bootstrap", target: directory, type: "tmpfs", data: "size=1g,mode=755" });
  } catch (error) {
    // Without the right to mount the disk does as well; mmdebstrap says itself what it may not do.
    if (systemCode(error) !== "EPERM") throw error;
  }
}

async function* output(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { onProgress, signal }: DebianRequest,
): AsyncGenerator<Uint8Array> {
  const { child, archive, messages } = start(args, env);
  const said = readMessages(messages, onProgress);
  said.catch(() => {});
  const onAbort = () => {
    signalGroup(child, "SIGTERM");
    archive.destroy();
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  let ended = false;
  try {
    for await (const piece of archive) yield piece as Uint8Array;
    const [status, lines] = await Promise.all([child.exited, said]);
    ended = true;
    if (status.code !== 0) throw failure(lines);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    if (!ended) await stop(child, archive);
    messages.destroy();
  }
}

/** mmdebstrap's helpers belong to its process group; the leader is not reaped yet, so that the group is still its own. */
function signalGroup(child: Process, signal: "SIGTERM" | "SIGKILL"): void {
  killIfThere(-child.pid, signalNumber(signal));
}

function start(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  using archive = pipe();
  using messages = pipe();
  let child: Process;
  try {
    child = spawnProcess({
      file: "mmdebstrap",
      args,
      env,
      stdio: { 0: "null", 1: archive.writeEnd, 2: messages.writeEnd },
      setpgroup: true,
    });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw new Internal("mmdebstrap cannot be started", { cause: error });
    throw new FailedPrecondition("mmdebstrap is not installed", {
      cause: error,
      remedy: "install it: apt-get install mmdebstrap",
    });
  }
  archive.writeEnd.close();
  messages.writeEnd.close();
  return { child, archive: readableFrom(archive.readEnd), messages: readableFrom(messages.readEnd) };
}

/** Passes on what mmdebstrap says, and keeps the end of it. */
async function readMessages(stream: Readable, onProgress: (message: string) => void): Promise<readonly string[]> {
  const last: string[] = [];
  // A stream that is given up ends the loop like one that ends.
  for await (const line of createInterface({ input: stream })) {
    const text = line.trimEnd();
    if (text === "") continue;
    last.push(text);
    if (last.length > 12) last.shift();
    if (text.startsWith("I: ")) onProgress(text.slice(3));
  }
  return last;
}

function failure(lines: readonly string[]): Unavailable {
  const errors = lines.filter((line) => /^(?:E|Err|W): ?|error/i.test(line));
  const reason = (errors.length > 0 ? errors : lines).slice(-3).join("; ");
  return new Unavailable(`mmdebstrap failed: ${reason}`, {
    remedy: "check that the machine's package sources can be reached: apt-get update",
  });
}

/** Ends it gently, so that it unmounts and removes what it made; by force when that takes too long. */
async function stop(child: Process, archive: Readable): Promise<void> {
  signalGroup(child, "SIGTERM");
  archive.destroy();
  const timer = setTimeout(() => signalGroup(child, "SIGKILL"), GRACE);
  await child.exited;
  clearTimeout(timer);
}
