import { EngineClient } from "./engine-client.ts";
import { type Background, startProgram, waitUntilReady } from "./process.ts";
import { daemonProgram } from "./program.ts";
import { type RootlessUser, type RootlessUserOptions, rootlessUser } from "./rootless-user.ts";

/** An engine that an ordinary user has started. Disposing removes its containers, its state and the user. */
export interface RootlessBoxship extends AsyncDisposable {
  readonly user: RootlessUser;
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
  /** Removes everything of the instance, and waits until the daemon has ended. */
  reset(): Promise<void>;
}

export interface RootlessBoxshipOptions extends RootlessUserOptions {
  /** More flags of the daemon. */
  readonly flags?: readonly string[];
  /** What starts the daemon. @default daemonProgram() */
  readonly program?: readonly string[];
}

export async function startRootlessBoxship(options: RootlessBoxshipOptions = {}): Promise<RootlessBoxship> {
  await using stack = new AsyncDisposableStack();
  const user = stack.use(await rootlessUser(options));
  const runDir = `${user.runtimeDir}/boxship`;
  const socketPath = `${runDir}/engine.sock`;
  const log = user.directory.join("daemon.log");
  const command = user.command([...(options.program ?? daemonProgram()), ...(options.flags ?? [])]);
  const client = stack.use(new EngineClient(socketPath));
  let program: Background | undefined;
  let present = false;

  const start = async (): Promise<void> => {
    if (program !== undefined && program.status === undefined) return;
    program = await startProgram(command, { log });
    await waitUntilReady(program, log, async () => (await client.call("GET", "/_ping")).status === 200);
    present = true;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    program?.kill(signal);
    await program?.waitForEnd();
  };
  const reset = async (): Promise<void> => {
    await start();
    await client.json("POST", "/boxship/shutdown?reset=1");
    await program?.waitForEnd();
    present = false;
  };
  // What never came up holds nothing, and its own failure is what the test must see.
  stack.defer(async () => {
    if (present) await reset();
  });
  await start();
  const owned = stack.move();
  return {
    user,
    root: `${user.home}/.local/share/boxship`,
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
    reset,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
