import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type BoxshipOptions,
  busyboxEntries,
  busyboxTree,
  type EngineClient,
  pushFixture,
  type Ran,
  type RunOptions,
  repositoryRoot,
  runProgram,
  startBoxship,
  startDockerd,
  startRegistry,
  tempDir,
} from "@boxship/testkit";

/** Docker's own command line, one of the versions that are here. */
export interface DockerClient {
  /** `20.10` or `28`. */
  readonly version: string;
  /** Runs it; a failure is a status. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Runs what must succeed, and returns its output without the last line end. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

/** An engine with the small image {@link IMAGE} in it. */
export interface EngineUnderTest extends AsyncDisposable {
  readonly kind: "boxship" | "dockerd";
  /** The instance's name and the directory of its state; empty for dockerd. */
  readonly name: string;
  readonly root: string;
  readonly socketPath: string;
  /** Process id of the daemon. */
  readonly pid: number;
  /** Docker's command lines on another socket of the engine. */
  dockerOn(socketPath: string): Promise<readonly DockerClient[]>;
  readonly client: EngineClient;
  readonly docker: readonly DockerClient[];
}

/** Busybox, without a command of its own. */
export const IMAGE = "e2e/busybox:1";

/**
 * A private engine. With `BOXSHIP_TEST_REFERENCE=dockerd` it is Docker's own daemon: what these tests expect is what
 * Docker does.
 *
 * @param options of Boxship; dockerd has none of them
 */
export async function startEngineUnderTest(options: BoxshipOptions = {}): Promise<EngineUnderTest> {
  await using stack = new AsyncDisposableStack();
  const reference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";
  const engine = stack.use(reference ? await startDockerd() : await startBoxship(options));
  const docker = await dockerClients(engine.socketPath);
  if (docker.length === 0) throw new Error("no docker command line is here: run scripts/setup.sh test");
  if (reference) await importBusybox(engine.socketPath);
  else await pullBusybox(engine.client);
  const owned = stack.move();
  return {
    kind: reference ? "dockerd" : "boxship",
    name: "name" in engine ? engine.name : "",
    root: "root" in engine ? engine.root : "",
    socketPath: engine.socketPath,
    pid: engine.pid,
    client: engine.client,
    docker,
    dockerOn: dockerClients,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** From a registry of its own, by the API under test. */
async function pullBusybox(client: EngineClient): Promise<void> {
  await using registry = await startRegistry();
  const { reference } = await pushFixture(registry, "busybox:1", { layers: [{ entries: await busyboxEntries() }] });
  const { text } = await client.call("POST", `/images/create?fromImage=${encodeURIComponent(reference)}`);
  if (!text.includes("Downloaded newer image")) throw new Error(`no busybox image: ${text.slice(-500)}`);
  const [repo, tag] = IMAGE.split(":");
  await client.json("POST", `/images/${reference}/tag?repo=${repo}&tag=${tag}`);
  await client.json("DELETE", `/images/${reference}`);
}

/** Gives an engine the image by itself, without a registry. */
export async function importBusybox(socketPath: string): Promise<void> {
  await using directory = tempDir("busybox");
  await busyboxTree(directory.path);
  await chmod(directory.path, 0o755);
  const archive = directory.join("image.tar");
  await runProgram(["tar", "-C", directory.path, "--exclude=image.tar", "-cf", archive, "."]);
  const [docker] = await dockerClients(socketPath);
  await docker?.ok(["import", archive, IMAGE]);
}

const PLACES = [".cache/clients/root/usr/bin/docker", ".cache/parts/root/usr/bin/docker", "/usr/bin/docker"];

/** The versions of the command line that are here, on a socket. */
export async function dockerClients(socketPath: string): Promise<readonly DockerClient[]> {
  const clients = new Map<string, DockerClient>();
  for (const program of PLACES.map((place) => resolve(repositoryRoot, place))) {
    if (!existsSync(program)) continue;
    const { stdout } = await runProgram([program, "--version"]);
    const version = /version (20\.10|\d+)/.exec(stdout)?.[1] ?? stdout;
    if (!clients.has(version)) clients.set(version, dockerClient(program, version, socketPath));
  }
  return [...clients.values()];
}

function dockerClient(program: string, version: string, socketPath: string): DockerClient {
  const env = {
    DOCKER_HOST: `unix://${socketPath}`,
    DOCKER_CONFIG: resolve(repositoryRoot, ".cache/clients/home/.docker"),
  };
  const run = (args: readonly string[], options: RunOptions = {}) =>
    runProgram([program, ...args], { timeout: 60_000, ...options, env: { ...env, ...options.env } });
  return {
    version,
    program,
    env,
    run,
    ok: async (args, options) => {
      const { status, stdout, stderr } = await run(args, options);
      if (status !== 0) throw new Error(`docker ${args.join(" ")}: status ${status}\n${stdout}${stderr}`);
      return stdout.replace(/\n$/, "");
    },
  };
}
