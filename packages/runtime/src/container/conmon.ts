import { Internal } from "@boxship/base";
import { type Fd, type Process, pipe, read, setNonBlocking, watchDescriptor } from "@boxship/kernel";
import type { CreateContainer } from "../contract.ts";
import { type Context, launch, RUNTIME_ENVIRONMENT, type RuntimeBinary, runtimeOptions } from "./context.ts";

const SYNC_DESCRIPTOR = 3;

// conmon makes its console socket in TMPDIR, and a socket's address ends after 107 bytes.
const LONGEST_TEMPORARY = 80;

export interface StartedConmon {
  readonly process: Process;
  /** What the runtime's `create` came to. */
  readonly created: Promise<{ readonly pid: number } | { readonly failure: string }>;
}

/**
 * Starts conmon for a container whose bundle is written. conmon makes a session of its own and outlives us; `--sync`
 * keeps it our child until then, so that its end is seen and reaped without a pid file.
 */
export function startConmon(context: Context, container: CreateContainer, runtime: RuntimeBinary): StartedConmon {
  using sync = pipe();
  const { runDir } = context.layout;
  const process = launch(context, runtime, {
    file: context.conmon,
    args: conmonArguments(context, container, runtime),
    // Its own early complaints and its report come the same way: after the first it writes no more to either.
    stdio: { 2: sync.writeEnd, [SYNC_DESCRIPTOR]: sync.writeEnd },
    env: {
      ...(container.restoreFrom === undefined ? RUNTIME_ENVIRONMENT : context.criu.environment()),
      _OCI_SYNCPIPE: String(SYNC_DESCRIPTOR),
      TMPDIR: runDir.length <= LONGEST_TEMPORARY ? runDir : "/tmp",
    },
    setsid: true,
    // conmon puts an empty file "oom" where it works when the kernel has killed for lack of memory.
    cwd: context.layout.bundle(container.id),
  });
  process.unref();
  sync.writeEnd.close();
  return { process, created: readReport(sync.readEnd.duplicate()) };
}

function conmonArguments(context: Context, container: CreateContainer, runtime: RuntimeBinary): readonly string[] {
  const { layout } = context;
  const { id, terminal, stdin, stdinOnce = false, logPath, logSizeLimit = 0 } = container;
  const log = logPath === undefined ? "none" : `k8s-file:${logPath}`;
  return [
    `--cid=${id}`,
    `--cuuid=${id}`,
    `--name=${id}`,
    `--runtime=${runtime.path}`,
    ...runtimeOptions(runtime, layout.stateRoot(runtime.name)).map((option) => `--runtime-arg=${option}`),
    "--bundle",
    layout.bundle(id),
    `--container-pidfile=${layout.bundleFile(id, "pid")}`,
    `--exit-dir=${layout.exits}`,
    "--full-attach",
    "--sync",
    "--no-sync-log",
    `--log-path=${log}`,
    ...(logSizeLimit > 0 ? [`--log-size-max=${logSizeLimit}`] : []),
    "--log-level=error",
    ...(container.restoreFrom === undefined ? [] : [`--restore=${container.restoreFrom}`]),
    ...(terminal ? ["--terminal"] : []),
    ...(stdin ? ["--stdin"] : []),
    // On a terminal there is no end of input to pass on, and closing would make it deaf for the next client.
    ...(stdin && (terminal || !stdinOnce) ? ["--leave-stdin-open"] : []),
  ];
}

/** conmon's one line `{"pid": N}` or `{"pid": -1, "message": "…"}`; other lines are complaints of conmon itself. */
async function readReport(fd: Fd): Promise<{ readonly pid: number } | { readonly failure: string }> {
  const text = await readUntil(fd, (soFar) => /^\{.*\}$/m.test(soFar));
  const line = text.split("\n").find((candidate) => candidate.startsWith("{"));
  if (line === undefined) return { failure: text };
  const report = parseReport(line);
  return report.pid > 0 ? { pid: report.pid } : { failure: report.message };
}

function parseReport(line: string): { readonly pid: number; readonly message: string } {
  // conmon escapes what JSON demands, except bytes that are not UTF-8: those were replaced when decoding.
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || !("pid" in value) || typeof value.pid !== "number") {
    throw new Internal(`conmon's report is not understood: ${line}`);
  }
  const message = "message" in value && typeof value.message === "string" ? value.message : "";
  return { pid: value.pid, message };
}

/** Reads a pipe until the text is enough, or to its end, and closes it. */
function readUntil(fd: Fd, enough: (text: string) => boolean): Promise<string> {
  setNonBlocking(fd, true);
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const watch = watchDescriptor(fd, { readable: true }, () => {
      try {
        const buffer = Buffer.alloc(65536);
        const length = read(fd, buffer);
        if (length === undefined) return;
        chunks.push(buffer.subarray(0, length));
        const text = Buffer.concat(chunks).toString("utf8");
        if (length !== 0 && !enough(text)) return;
        finish(() => resolve(text));
      } catch (error) {
        finish(() => reject(error));
      }
    });
    const finish = (settle: () => void) => {
      watch[Symbol.dispose]();
      fd.close();
      settle();
    };
  });
}
