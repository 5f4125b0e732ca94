import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  DeadlineExceeded,
  errorMessage,
  FailedPrecondition,
  findProgram,
  Internal,
  type Logger,
  systemCode,
} from "@boxship/base";
import { type Process, pipe, readableFrom, runProcess, SIGKILL, spawnProcess } from "@boxship/kernel";
import type { RootlessNetwork } from "../options.ts";
import { type RunningProcess, runningProcess } from "./running-process.ts";

const PATIENCE_MS = 10_000;
const DEVICE = "/dev/net/tun";

/** What connects an instance's network namespace with the machine's, for connections that begin inside. */
export interface OutsideNetwork {
  readonly kind: "pasta" | "slirp4netns";
  readonly process: RunningProcess;
  /** Answers DNS inside, with the machine's own servers behind it, those on its loopback included. */
  readonly nameServer: string;
}

interface Candidate {
  readonly kind: OutsideNetwork["kind"];
  readonly path: string;
}

/**
 * The installed programs that were asked for, the faster first.
 *
 * @throws FailedPrecondition naming Debian's packages, or what is wrong with the device they need
 */
export function outsidePrograms(wanted: RootlessNetwork): readonly Candidate[] {
  if (wanted === "none") return [];
  const kinds = wanted === "auto" ? (["pasta", "slirp4netns"] as const) : [wanted];
  const found = kinds.flatMap((kind) => {
    const path = findProgram(kind);
    return path === undefined ? [] : [{ kind, path }];
  });
  if (found.length > 0) return found;
  const missing = wanted === "auto" ? "pasta or slirp4netns" : wanted;
  const debianPackage = wanted === "slirp4netns" ? "slirp4netns" : "passt";
  throw new FailedPrecondition(`an engine without root needs ${missing}, which is not installed`, {
    subject: { kind: "program", name: missing },
    remedy: `install the package ${debianPackage}, e.g. apt-get install ${debianPackage}; --rootless-network none does without an outside`,
  });
}

/** @throws FailedPrecondition when this user may not make network devices of the kind that both programs need */
export function checkTunDevice(path = DEVICE): void {
  try {
    closeSync(openSync(path, "r+"));
  } catch (error) {
    throw new FailedPrecondition(
      `an engine without root needs ${path}, which cannot be opened: ${errorMessage(error)}`,
      {
        subject: { kind: "device", name: path },
        remedy:
          systemCode(error) === "ENOENT"
            ? "let root run: modprobe tun; or start the engine with --rootless-network none"
            : `let root run: chmod 0666 ${path}; or start the engine with --rootless-network none`,
        cause: error,
      },
    );
  }
}

/**
 * Connects the namespaces of a process. When no program manages (a machine without any network), the engine runs without
 * an outside until its next start, and the log says why.
 */
export async function connectOutside(
  programs: readonly Candidate[],
  target: RunningProcess,
  directory: string,
  logger: Logger,
): Promise<OutsideNetwork | undefined> {
  for (const { kind, path } of programs) {
    try {
      return kind === "pasta" ? await startPasta(path, target, directory) : await startSlirp(path, target);
    } catch (error) {
      logger.warn(`${kind} cannot connect containers with the outside`, { error: errorMessage(error) });
    }
  }
  if (programs.length > 0) logger.warn("containers reach nothing outside until the engine is started again");
  return undefined;
}

/** Addresses that are neither the machine's nor routed. */
const PASTA_NAME_SERVER = "169.254.1.1";
const SLIRP_NAME_SERVER = "10.0.2.3";

/** Copies the machine's addresses and routes; goes into the background when it is ready. */
async function startPasta(path: string, { pid }: RunningProcess, directory: string): Promise<OutsideNetwork> {
  const pidFile = join(directory, "pasta.pid");
  rmSync(pidFile, { force: true });
  const none = ["-t", "none", "-u", "none", "-T", "none", "-U", "none"];
  const options = ["--config-net", "--no-map-gw", "--dns-forward", PASTA_NAME_SERVER, "--quiet", "--pid", pidFile];
  const result = await runProcess({ file: path, args: [...options, ...none, String(pid)], timeout: PATIENCE_MS });
  if (result.code !== 0) {
    throw new Internal(lastLine(result.stderr.toString()) ?? `it ended with ${result.code ?? result.signal}`);
  }
  const running = runningProcess(Number(readFileSync(pidFile, "utf8")));
  if (running === undefined) throw new Internal("it ended at once");
  return { kind: "pasta", process: running, nameServer: PASTA_NAME_SERVER };
}

/** Its own complaints about an absent syslog say nothing about what went wrong. */
function lastLine(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.includes("to syslog"));
  return lines.at(-1)?.trim();
}

async function startSlirp(path: string, { pid }: RunningProcess): Promise<OutsideNetwork> {
  using ready = pipe();
  using errors = pipe();
  const options = ["--configure", "--mtu=65520", "--disable-host-loopback", "--enable-ipv6", "--ready-fd=3"];
  const child = spawnProcess({
    file: path,
    args: [...options, String(pid), "tap0"],
    stdio: { 2: errors.writeEnd, 3: ready.writeEnd },
    cwd: "/",
    setsid: true,
  });
  ready.writeEnd.close();
  errors.writeEnd.close();
  const complaint = textOf(readableFrom(errors.readEnd.duplicate()));
  if (!(await becomesReady(child, readableFrom(ready.readEnd.duplicate())))) {
    child.kill(SIGKILL);
    throw new Internal(lastLine(complaint.text()) ?? "it ended at once");
  }
  complaint.close();
  child.unref();
  const running = runningProcess(child.pid);
  if (running === undefined) throw new Internal("it ended at once");
  return { kind: "slirp4netns", process: running, nameServer: SLIRP_NAME_SERVER };
}

type ByteStream = ReturnType<typeof readableFrom>;

/** It writes a byte when the device is up, and closes its end when it dies. */
async function becomesReady(child: Process, ready: ByteStream): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => reject(new DeadlineExceeded("it was not ready in time")), PATIENCE_MS);
  ready.once("data", () => resolve(true));
  ready.once("close", () => resolve(false));
  ready.once("error", () => resolve(false));
  try {
    return await promise;
  } catch (error) {
    child.kill(SIGKILL);
    throw error;
  } finally {
    clearTimeout(timer);
    ready.destroy();
  }
}

function textOf(stream: ByteStream): { readonly text: () => string; readonly close: () => void } {
  let text = "";
  stream.on("data", (data: Buffer) => (text += data.toString()));
  stream.on("error", () => {});
  return { text: () => text, close: () => void stream.destroy() };
}
