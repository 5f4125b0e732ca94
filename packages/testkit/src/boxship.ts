import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { EngineClient } from "./engine-client.ts";
import { type Background, startProgram, waitUntilReady } from "./process.ts";
import { daemonProgram } from "./program.ts";
import { runProgram } from "./run-program.ts";
import { removeTree, tempDir } from "./temp-dir.ts";

export interface BoxshipOptions {
  /** Instance name, at most nine characters. @default `bx` and six random digits, by which leaks are found */
  readonly name?: string;
  /** Where its state is; removed at the end all the same. @default a temporary directory */
  readonly root?: string;
  /** More flags of the daemon. */
  readonly flags?: readonly string[];
  /** What starts the daemon. @default daemonProgram() */
  readonly program?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** An instance of the engine that is private to the test. Disposing removes its containers, networks and state. */
export interface Boxship extends AsyncDisposable {
  readonly name: string;
  readonly root: string;
  readonly runDir: string;
  readonly socketPath: string;
  readonly client: EngineClient;
  readonly log: string;
  /** Process id of the daemon that runs now. */
  readonly pid: number;
  /** `kill -9`, and waits until it is dead. */
  crash(): Promise<void>;
  /** SIGTERM, and waits until it has ended. */
  stop(): Promise<void>;
  /** Starts the daemon again after {@link crash} or {@link stop}, and waits until it answers. */
  start(): Promise<void>;
}

/** On a busy machine a start has taken half a minute. */
const START_MS = 120_000;

/** A reset must not need its last resort. @throws Error with the end of the log */
async function endedWell(program: Background | undefined, log: string): Promise<void> {
  const late = delay(60_000, "late" as const, { ref: false });
  const status = await Promise.race([program?.waitForEnd(), late]);
  if (status === "late") throw new Error(`the daemon does not end:\n${tailOf(log)}`);
  const tail = tailOf(log);
  if (status !== 0 || tail.includes("the removal was cut short")) {
    throw new Error(`the daemon was not removed as it should be, and ended with ${status}:\n${tail}`);
  }
}

function tailOf(log: string): string {
  return readFileSync(log, "utf8").split("\n").slice(-30).join("\n");
}

export async function startBoxship(options: BoxshipOptions = {}): Promise<Boxship> {
  await using stack = new AsyncDisposableStack();
  const name = options.name ?? `bx${randomBytes(3).toString("hex")}`;
  const directory = stack.use(tempDir(`engine-${name}`));
  const root = options.root ?? directory.join("root");
  // Root of containers in user namespaces passes through.
  await chmod(directory.path, 0o711);
  await mkdir(root, { recursive: true });
  const runDir = `/run/boxship-${name}`;
  const socketPath = `${runDir}/engine.sock`;
  const log = directory.join("daemon.log");
  const instance = [...(options.program ?? daemonProgram()), "--name", name, "--root", root];
  const command = [...instance, ...(options.flags ?? [])];
  const client = stack.use(new EngineClient(socketPath));
  let program: Background | undefined;
  let everReady = false;
  let ending = false;

  const start = async (): Promise<void> => {
    if (program?.status === undefined && program !== undefined) return;
    program = await startProgram(command, { log, ...(options.env === undefined ? {} : { env: options.env }) });
    try {
      await waitUntilReady(program, log, async () => (await client.call("GET", "/_ping")).status === 200, START_MS);
    } catch (error) {
      // Or whoever cleans up would take it for one that answers, and its failure would hide this one.
      await end("SIGKILL");
      throw error;
    }
    everReady = true;
    ending = false;
    const { pid } = program;
    void program.whenEnded().then((status) => {
      if (!ending) process.stderr.write(`daemon ${pid} ended by itself with ${status}:\n${tailOf(log)}\n`);
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    ending = true;
    program?.kill(signal);
    await program?.waitForEnd();
  };
  const resetOnce = async (): Promise<void> => {
    await start();
    ending = true;
    await client.json("POST", "/boxship/shutdown?reset=1");
    await endedWell(program, log);
  };
  /** What went wrong is told, but bridges and mounts do not stay for it: the next daemon takes them away. */
  const reset = async (): Promise<void> => {
    try {
      await resetOnce();
    } catch (error) {
      // Where the test failed, too, only one of the two is shown.
      process.stderr.write(`${name} could not be removed at once: ${String(error)}\n${tailOf(log)}\n`);
      await end("SIGKILL");
      await resetOnce();
      throw error;
    }
  };
  stack.defer(async () => {
    await removeTree(root);
    await removeTree(runDir);
  });
  stack.defer(async () => {
    try {
      if (everReady) await reset();
      // One that never came up may have a bridge all the same; its own failure is what the test must see.
      else await runProgram([...instance, "--reset"]);
    } finally {
      await program?.[Symbol.asyncDispose]();
    }
  });
  await start();
  const owned = stack.move();
  return {
    name,
    root,
    runDir,
    socketPath,
    client,
    log,
    get pid() {
      return program?.pid ?? 0;
    },
    crash: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    start,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
