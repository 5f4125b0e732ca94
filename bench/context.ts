import { existsSync, realpathSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { daemonFlags, nodeFlags } from "@boxship/base/entry";
import {
  busyboxTree,
  dockerCli,
  type EngineClient,
  type Ran,
  removeTree,
  repositoryRoot,
  runProgram,
  startBoxship,
  startDockerd,
  startRegistry,
  startRootlessBoxship,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { pushImage } from "./image.ts";

/** An engine that speaks Docker's API, and the processes that a user would count as its own. */
export interface Engine {
  readonly name: string;
  readonly client: EngineClient;
  /** Its daemon; everything below it and every monitor of a container counts too. */
  readonly pid: number;
  /** Programs that stand beside the daemon, one per container. */
  readonly monitor: string;
  /** What the command line of each of its monitors contains. */
  readonly marker: string;
  readonly containerdSocket?: string;
  /** Runs the work and says how long the daemon's event loop stood still at most meanwhile, in milliseconds. */
  readonly longestStop?: (work: () => Promise<unknown>) => Promise<number>;
}

/** What starts the daemon of the built bundle. @param flags further ones for Node */
export function engineProgram(flags: readonly string[] = []): readonly string[] {
  const bundle = join(repositoryRoot, "dist/current/boxship.cjs");
  if (!existsSync(bundle)) throw new Error("no bundle: run scripts/build.sh --bundle");
  // The real path: a build from which something runs stays on disk.
  return [process.execPath, ...daemonFlags, ...flags, realpathSync(bundle), "daemon-process"];
}

/** The command line as `./boxship` starts it: with another flag of V8 its code caches would not count. */
export function commandLine(): readonly [string, ...string[]] {
  return [process.execPath, ...nodeFlags, engineProgram().at(-2) ?? ""];
}

/** What benchmarks share: brought up when it is first asked for, taken down at the end. */
export class Context implements AsyncDisposable {
  readonly work: TempDir;
  readonly #stack = new AsyncDisposableStack();
  #registry: Promise<string> | undefined;
  #image: Promise<string> | undefined;
  readonly #engines = new Map<string, Promise<Engine>>();

  constructor() {
    this.work = this.#stack.use(tempDir("bench"));
  }

  /** The root file system of the small image, as a directory. */
  get tree(): string {
    return this.work.join("tree");
  }

  /** `host:port` of a registry on localhost. */
  registry(): Promise<string> {
    this.#registry ??= this.#startRegistry();
    return this.#registry;
  }

  async #startRegistry(): Promise<string> {
    return this.#stack.use(await startRegistry()).host;
  }

  /** The small image's name in the registry; its content is {@link tree}. */
  image(): Promise<string> {
    this.#image ??= this.#makeImage();
    return this.#image;
  }

  async #makeImage(): Promise<string> {
    await mkdir(this.tree);
    await busyboxTree(this.tree);
    const host = await this.registry();
    await pushImage(`http://${host}/v2/bench/small`, "1", [this.tree], this.work);
    return `${host}/bench/small:1`;
  }

  /** Both engines with the small image pulled; one is left out with `BENCH_DOCKER=0` or `BENCH_BOXSHIP=0`. */
  async engines(): Promise<readonly Engine[]> {
    const all: Promise<Engine>[] = [];
    if (process.env["BENCH_BOXSHIP"] !== "0") all.push(this.#engine("boxship", () => this.#startBoxship()));
    if (process.env["BENCH_DOCKER"] !== "0") all.push(this.#engine("docker", () => this.#startDockerd()));
    return await Promise.all(all);
  }

  /**
   * Two more engines, whose state is on a file system in memory, until the stack is disposed. A disk's makes files slowly
   * where many were removed a moment ago (ext4 without a journal passes over their inodes for minutes), whoever they were.
   */
  async enginesInMemory(stack: AsyncDisposableStack): Promise<readonly Engine[]> {
    const parent = this.work.join("memory");
    await mkdir(parent);
    await must(runProgram(["mount", "-t", "tmpfs", "-o", "size=75%,nr_inodes=0", "bench", parent]));
    stack.defer(() => removeTree(parent));
    const started: Promise<Engine>[] = [];
    const root = join(parent, "boxship");
    if (process.env["BENCH_BOXSHIP"] !== "0") started.push(this.#startBoxship({ stack, root }));
    if (process.env["BENCH_DOCKER"] !== "0") started.push(this.#startDockerd({ stack, parent }));
    return await Promise.all((await Promise.all(started)).map((engine) => this.#pulled(engine)));
  }

  /** Boxship as an ordinary user starts it, with the small image. It has no way to the registry, which is on localhost. */
  rootless(): Promise<Engine> {
    const known = this.#engines.get("rootless") ?? this.#startRootless();
    this.#engines.set("rootless", known);
    return known;
  }

  async #startRootless(): Promise<Engine> {
    const image = await this.image();
    const bundle = realpathSync(join(repositoryRoot, "dist/current/boxship.cjs"));
    const program = [process.execPath, "--disable-warning=ExperimentalWarning", bundle, "daemon-process"];
    // The run has no way out for pasta to copy.
    const flags = ["--rootless-network", "none"];
    const engine = this.#stack.use(await startRootlessBoxship({ program, flags }));
    const archive = this.work.join("small.tar");
    const docker = dockerCli(engine.socketPath);
    if (docker === undefined) throw new Error("no docker client: run scripts/setup.sh test");
    await must(runProgram(["tar", "--directory", this.tree, "--create", "--file", archive, "."]));
    await must(docker(["import", archive, image]));
    const { client, pid, runDir } = engine;
    return { name: "rootless", client, pid, monitor: "conmon", marker: runDir };
  }

  #engine(name: string, start: () => Promise<Engine>): Promise<Engine> {
    const known = this.#engines.get(name) ?? start().then((engine) => this.#pulled(engine));
    this.#engines.set(name, known);
    return known;
  }

  async #pulled(engine: Engine): Promise<Engine> {
    await pull(engine.client, await this.image());
    return engine;
  }

  async #startBoxship({ stack = this.#stack, root }: Place = {}): Promise<Engine> {
    const watch = join(repositoryRoot, "bench/loop-delay.mjs");
    const delayFile = this.work.join("loop-delay");
    const program = engineProgram([`--import=${watch}`]);
    const engine = stack.use(
      await startBoxship({ program, env: { BENCH_LOOP_DELAY: delayFile }, ...(root === undefined ? {} : { root }) }),
    );
    const { client, pid, name } = engine;
    return { name: "boxship", client, pid, monitor: "conmon", marker: name, longestStop: watchLoop(pid, delayFile) };
  }

  async #startDockerd({ stack = this.#stack, parent }: Place = {}): Promise<Engine> {
    // The whole run has a network and a mount namespace of its own already.
    const dockerd = stack.use(await startDockerd({ isolated: false, ...(parent === undefined ? {} : { parent }) }));
    const { client, pid, containerdSocket } = dockerd;
    return { name: "docker", client, pid, monitor: "containerd-shim", marker: containerdSocket, containerdSocket };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Whose an engine is, and where its state is. */
interface Place {
  readonly stack?: AsyncDisposableStack;
  readonly root?: string;
  readonly parent?: string;
}

async function must(running: Promise<Ran>): Promise<void> {
  const { status, stderr } = await running;
  if (status !== 0) throw new Error(stderr);
}

/** See `loop-delay.mjs`. */
function watchLoop(pid: number, file: string): NonNullable<Engine["longestStop"]> {
  return async (work) => {
    await rm(file, { force: true });
    process.kill(pid, "SIGUSR2");
    await work();
    process.kill(pid, "SIGUSR2");
    while (!existsSync(file)) await delay(10);
    return Number(await readFile(file, "utf8"));
  };
}

/** Pulls and waits; the answer is a stream of progress whose last line may be the error. */
export async function pull(client: EngineClient, image: string): Promise<void> {
  const [name, tag] = [image.slice(0, image.lastIndexOf(":")), image.slice(image.lastIndexOf(":") + 1)];
  const { status, text } = await client.call("POST", `/images/create?fromImage=${encodeURIComponent(name)}&tag=${tag}`);
  if (status !== 200 || text.includes('"errorDetail"'))
    throw new Error(`pull of ${image}: ${status} ${text.slice(-500)}`);
}
